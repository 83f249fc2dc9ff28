import { fork, type ChildProcess } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lastingFailpoints } from '../core/index.ts'
import type { Engine } from './engine.ts'
import type { WorkerProcessMessage, WorkerProcessSettings } from './worker-process.ts'

/** Waits before a dead worker is started again: at once the first time, longer when it keeps dying. */
const RESTART_MS = [10, 100, 500, 2000, 10_000]
/** A worker that lived so long starts with a clean record. */
const STEADY_MS = 60_000

/**
 * Keeps one worker process alive beside this one. It ends with this process, because the channel between them closes.
 * The returned function stops it gracefully.
 */
export function superviseWorker(engine: Engine, readers: number): (graceMs?: number) => Promise<void> {
  const program = fileURLToPath(new URL(`./worker-process${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  const settings = settingsOf(engine, readers)
  let child: ChildProcess | null = null
  let timer: NodeJS.Timeout | undefined
  let stopping = false
  let deaths = 0
  const start = (): void => {
    const began = performance.now()
    const started = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    child = started
    tell(started, { settings })
    settings.failpoints = lastingFailpoints(settings.failpoints)
    started.once('exit', (code, signal) => {
      child = null
      if (stopping) return
      if (performance.now() - began > STEADY_MS) deaths = 0
      const delay = RESTART_MS[Math.min(deaths++, RESTART_MS.length - 1)]!
      engine.log.warn({ code, signal, delay }, 'the worker process ended and is started again')
      timer = setTimeout(start, delay)
    })
  }
  start()
  return async (graceMs) => {
    stopping = true
    clearTimeout(timer)
    if (!child) return
    const gone = new Promise<void>((resolve) => child!.once('exit', () => resolve()))
    tell(child, { stop: { graceMs } })
    await gone
  }
}

/** A child that is just dying cannot be told anything; its end is seen by itself. */
function tell(child: ChildProcess, message: WorkerProcessMessage): void {
  child.send(message, () => {})
}

function settingsOf({ opened, storageUrl, config }: Engine, readers: number): WorkerProcessSettings {
  return {
    connection: opened.connection,
    storageUrl,
    dataDir: config.dataDir,
    readers,
    retryBaseSeconds: config.retryBaseSeconds,
    logLevel: config.logLevel,
    failpoints: config.failpoint,
  }
}
