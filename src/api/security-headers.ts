import helmet from '@fastify/helmet'
import type { Api } from './services.ts'

/** Header fields of every answer (reliability S-24); answers with what people sent tighten them further. */
export async function registerSecurityHeaders(app: Api): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        scriptSrc: ["'self'"],
        imgSrc: ["'self'", 'blob:', 'data:'],
        objectSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    referrerPolicy: { policy: 'no-referrer' },
    crossOriginOpenerPolicy: { policy: 'same-origin' },
    // whoever terminates TLS in front of Sheaf says this for the whole host
    strictTransportSecurity: false,
  })
}
