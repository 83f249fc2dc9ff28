import type { Engine } from './engine.ts'

const WATCH_MS = 5000
/** So many silent looks in a row mean that the server hangs. */
const SILENT_LOOKS = 2

/**
 * Restarts the embedded database when it ended by itself, or did not answer twice within five seconds each. The
 * returned function stops watching; call it before the database is stopped.
 */
export function superviseDatabase({ opened, database, log }: Engine): () => Promise<void> {
  const embedded = opened.embedded!
  let silent = 0
  let stopped = false
  let restarting: Promise<void> | null = null
  const restart = (why: string): void => {
    if (restarting || stopped) return
    log.error({ why }, 'restarting the database')
    restarting = embedded
      .restart()
      .then(watchEnd, (error: unknown) => log.error({ err: error }, 'the database did not start again'))
      .finally(() => {
        restarting = null
      })
  }
  const watchEnd = (): void => {
    void embedded.ended.then(() => restart('it ended'))
  }
  const look = async (): Promise<void> => {
    const alive = await answers(database)
    silent = alive ? 0 : silent + 1
    if (silent >= SILENT_LOOKS) {
      silent = 0
      restart('it did not answer')
    }
  }
  watchEnd()
  const timer = setInterval(() => void look(), WATCH_MS)
  timer.unref()
  return async () => {
    stopped = true
    clearInterval(timer)
    await restarting
  }
}

function answers(database: Engine['database']): Promise<boolean> {
  const asked = database.asSystem('doctor', () => Promise.resolve(true)).catch(() => false)
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, WATCH_MS - 100, false).unref())
  return Promise.race([asked, late])
}
