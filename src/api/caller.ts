import type { UserContext } from '../database/index.ts'

/** Who asks, as the key that came with the request says. */
export interface Caller extends UserContext {
  keyId: string
  /** The key itself: what may only be read by its holder is derived from it. Never logged, never stored. */
  credential: string
}

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller
  }
  interface FastifyContextConfig {
    /** `yes`: no key is needed. `loopback`: none from this machine, a key from elsewhere. */
    open?: 'yes' | 'loopback'
  }
}
