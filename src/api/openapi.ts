import swagger from '@fastify/swagger'
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod'
import type { Api } from './services.ts'
import { tidyDescription } from './tidy-description.ts'

/** Version of the API, not of the program: it rises when a client would notice. */
const API_VERSION = '1.0.0'

const TAGS = [
  { name: 'Batches', description: 'Named sets of documents with one pipeline.' },
  { name: 'Uploads', description: 'Sending files into open batches.' },
  { name: 'Documents', description: 'What became of each file, its bytes and its text.' },
  { name: 'Exports', description: 'Files of results.' },
  { name: 'Events', description: 'Server-sent events.' },
  { name: 'Keys', description: 'API keys of the workspace.' },
  { name: 'Account', description: 'Limits and usage.' },
  { name: 'Administration', description: 'Checks and cleaning.' },
  { name: 'Operations', description: 'For those who run the server.' },
]

/** The description follows from the schemas that check the requests. */
export async function registerOpenapi(app: Api): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Sheaf',
        version: API_VERSION,
        description:
          'Turns a pile of documents into answers you can check. Errors are application/problem+json (RFC 9457) with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: TAGS,
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key: shf_…' } } },
      security: [{ key: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => tidyDescription(jsonSchemaTransformObject(document)),
  })
  app.get('/openapi.json', { schema: { hide: true }, config: { open: 'loopback' } }, () => app.swagger())
}
