import { createHash } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Api } from './services.ts'

const INLINE_SCRIPT = /<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g

/**
 * The API reference at /docs: script, styles and fonts come from this server, and nothing is sent elsewhere. It is
 * loaded when somebody first asks for it, in an application of its own: most starts of Sheaf never show it.
 */
export function registerDocs(app: Api): void {
  let pages: Promise<FastifyInstance> | null = null
  app.addHook('onClose', async () => (await pages)?.close())
  for (const url of ['/docs', '/docs/*']) {
    app.route({
      method: 'GET',
      url,
      schema: { hide: true },
      config: { open: 'loopback' },
      handler: async (request, reply) => {
        pages ??= openPages()
        const answer = await (await pages).inject({ method: 'GET', url: request.url })
        for (const name of PASSED_HEADERS)
          if (answer.headers[name] !== undefined) reply.header(name, answer.headers[name])
        const policy = answer.payload.startsWith('<!doctype html>') ? policyFor(answer.payload) : null
        if (policy) reply.header('content-security-policy', policy)
        return reply.code(answer.statusCode).send(answer.rawPayload)
      },
    })
  }
}

const PASSED_HEADERS = ['content-type', 'cache-control', 'etag', 'location'] as const

async function openPages(): Promise<FastifyInstance> {
  const { default: reference } = await import('@scalar/fastify-api-reference')
  const pages = Fastify()
  await pages.register(reference, {
    routePrefix: '/docs',
    configuration: {
      url: '/openapi.json',
      pageTitle: 'Sheaf API',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  })
  return pages
}

/** As tight as the page can bear: its inline script by its hash; it writes its styles itself, so those are inline. */
function policyFor(page: string): string {
  const hashes = [...page.matchAll(INLINE_SCRIPT)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(script!).digest('base64')}'`,
  )
  return [
    "default-src 'self'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' blob: data:",
    "font-src 'self' data:",
    "object-src 'none'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
}
