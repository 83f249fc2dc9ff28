import { z } from 'zod'
import { collectGarbage, runDoctor } from '../../doctor/index.ts'
import { noBody } from '../schemas/basics.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'

const findingSchema = z.object({
  invariant: z.string().describe('I1 … I10, see the guide on reliability.'),
  level: z.enum(['error', 'warning']),
  message: z.string(),
  count: z.int(),
  samples: z.array(z.string()),
})

const diagnosisSchema = z.object({ healthy: z.boolean(), findings: z.array(findingSchema) }).meta({ id: 'Diagnosis' })
const collectedSchema = z.object({ objects: z.int(), bytes: z.int(), staged: z.int() }).meta({ id: 'Collected' })

/** What an operator asks of a running system. */
export function administrationRoutes(app: Api, { database, store }: Services): void {
  const tags = ['Administration']
  app.route({
    method: 'GET',
    url: '/api/doctor',
    schema: {
      tags,
      operationId: 'diagnose',
      summary: 'Check every invariant of the workspace; with strict all stored bytes are read',
      querystring: z.strictObject({ strict: z.stringbool().default(false) }),
      response: { 200: diagnosisSchema, ...problems() },
    },
    handler: ({ caller, query }) => runDoctor(database, store, caller, { strict: query.strict }),
  })
  app.route({
    method: 'POST',
    url: '/api/gc',
    schema: {
      tags,
      operationId: 'collectGarbage',
      summary: 'Remove what interrupted uploads and readings left in the storage',
      querystring: z.strictObject({ olderThanSeconds: z.coerce.number().min(0).max(31_536_000).default(3600) }),
      body: noBody,
      response: { 200: collectedSchema, ...problems() },
    },
    handler: ({ caller, query }) =>
      collectGarbage(database, store, caller, { olderThanMs: query.olderThanSeconds * 1000 }),
  })
}
