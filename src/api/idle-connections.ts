import type { Api } from './services.ts'

/** A connection on which nothing moves is cut while its request arrives, or its answer is not read. */
export const IDLE_MS = 30_000

/** The time in which the server works on an answer does not count: a check of all stored bytes may take minutes. */
export function registerIdleConnections(app: Api): void {
  app.addHook('preHandler', async (request) => {
    // the body of a form arrives while it is worked on
    if (!request.isMultipart()) request.raw.socket.setTimeout?.(0)
  })
  app.addHook('onSend', async (request) => {
    request.raw.socket.setTimeout?.(IDLE_MS)
  })
}
