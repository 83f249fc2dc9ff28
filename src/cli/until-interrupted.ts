import type { Connection } from './connect.ts'
import { EXIT } from './failure.ts'
import type { Invocation } from './invocation.ts'

/** Documents that are being read may still end within so long after Ctrl-C. */
const GRACE_MS = 3000
const INTERRUPTED = Symbol('interrupted')

/**
 * Does the work of a command and closes its connection. At the first signal it lets go of the work: documents keep
 * their state, a server of our own stops cleanly, and `stop` tells the work.
 */
export async function untilInterrupted(
  invocation: Invocation,
  connection: Connection,
  stop: AbortController,
  work: () => Promise<number>,
): Promise<number> {
  const { terminal, interruption } = invocation
  const interrupted = new Promise<typeof INTERRUPTED>((resolve) => interruption.handle(() => resolve(INTERRUPTED)))
  const working = work()
  try {
    const end = await Promise.race([working, interrupted])
    if (end !== INTERRUPTED) return end
    // what it was doing fails now that its connection goes away
    working.catch(() => {})
    terminal.say(
      connection.isOwn
        ? 'Stopping. Run the same command again to continue.'
        : 'Stopped. The server goes on with it; run the same command again to follow it.',
    )
    return EXIT.interrupted
  } finally {
    stop.abort()
    await connection.close(interruption.signal === null ? undefined : GRACE_MS)
  }
}
