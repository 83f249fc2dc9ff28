import { join } from 'node:path'
import { readSettings } from '../connect.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import type { Server } from '../server.ts'

export interface ServeFlags {
  port?: number
  host: string
  only?: 'api' | 'worker'
  workers?: number
  exitWhenIdle?: number
}

/** Work in progress gets 25 s of these to end. */
const STOP_WITHIN_MS = 29_500

/** `sheaf serve`: API and worker until a signal comes, or until nothing has been left to do for a while. */
export async function serve(invocation: Invocation, flags: ServeFlags): Promise<number> {
  const { terminal, interruption, version } = invocation
  const config = await readSettings(invocation)
  const ending = new Promise<NodeJS.Signals>((resolve) => interruption.handle(resolve))
  const [{ createLog }, { startServer }] = await Promise.all([import('../../core/index.ts'), import('../server.ts')])
  // whoever watches a terminal wants to see troubles, not every request
  const level = config.logLevel === 'info' && terminal.isWatched ? 'warn' : config.logLevel
  const server = await startServer(config, createLog(level), {
    host: flags.host,
    port: flags.port ?? config.port,
    only: flags.only,
    readers: flags.workers,
    worker: 'process',
    version,
  })
  announce(invocation, server, config.dataDir)
  const idle = flags.exitWhenIdle === undefined ? null : await watchIdle(server, flags.exitWhenIdle)
  const end = await Promise.race([ending, ...(idle ? [idle.done] : [])])
  idle?.stop()
  if (terminal.isWatched && end !== 'idle')
    terminal.say(`Stopping${end === 'SIGINT' ? '; press Ctrl-C again to end at once' : ''}.`)
  const tooLong = setTimeout(() => process.exit(exitCodeOf(end)), STOP_WITHIN_MS)
  await server.stop()
  clearTimeout(tooLong)
  return exitCodeOf(end)
}

function announce({ terminal, flags }: Invocation, server: Server, dataDir: string): void {
  const keyFile = join(dataDir, 'api-key')
  if (flags.json) terminal.print(JSON.stringify({ url: server.url, keyFile }))
  else if (server.url === null) terminal.print('Sheaf is ready and works on what waits.')
  else {
    terminal.print(`Sheaf is ready at ${server.url} (API key: ${keyFile})`)
    if (terminal.isWatched)
      terminal.say('A sample batch to try: npm run -s sheaf -- run assets/sample --out sample-out')
  }
}

function exitCodeOf(end: NodeJS.Signals | 'idle'): number {
  return end === 'SIGINT' ? EXIT.interrupted : EXIT.ok
}

const LOOK_MS = 250

/** Resolves when nothing has waited or run for `seconds`. */
async function watchIdle(server: Server, seconds: number): Promise<{ done: Promise<'idle'>; stop(): void }> {
  const { isIdle } = await import('../idle.ts')
  let since = performance.now()
  let timer: NodeJS.Timeout | undefined
  const done = new Promise<'idle'>((resolve) => {
    const look = async (): Promise<void> => {
      if (!(await isIdle(server.engine.database).catch(() => false))) since = performance.now()
      else if (performance.now() - since >= seconds * 1000) return resolve('idle')
      timer = setTimeout(look, LOOK_MS)
    }
    void look()
  })
  return { done, stop: () => clearTimeout(timer) }
}
