import { availableParallelism } from 'node:os'
import type { buildApi } from '../api/index.ts'
import type { Config, Logger } from '../core/index.ts'
import { updateServerFile } from '../database/index.ts'
import type { ReaderPool, startWorker } from '../worker/index.ts'
import { openEngine, type Engine } from './engine.ts'
import { superviseDatabase } from './supervise-database.ts'
import { superviseWorker } from './supervise-worker.ts'
import { workerFolder } from './worker-folder.ts'

export interface ServerOptions {
  host: string
  port: number
  only?: 'api' | 'worker' | undefined
  /** Reader children; one for each core by default. */
  readers?: number | undefined
  /** In the same process (`sheaf run`), or in one of its own that is started again when it dies (`sheaf serve`). */
  worker: 'inline' | 'process' | 'none'
  version: string
}

/** A running Sheaf: database, API, worker. */
export interface Server {
  engine: Engine
  /** Null with `only: 'worker'`. */
  url: string | null
  /** Within `graceMs` running documents may still end; the rest goes back to the queue. */
  stop(graceMs?: number): Promise<void>
}

/** Starts everything in the data directory and enters its address in server.json. */
export async function startServer(config: Config, log: Logger, options: ServerOptions): Promise<Server> {
  const stops: ((graceMs?: number) => Promise<void>)[] = []
  const stop = async (graceMs?: number): Promise<void> => {
    for (const step of stops.toReversed()) {
      await step(graceMs).catch((error: unknown) => log.warn({ err: error }, 'stopping failed'))
    }
  }
  const hasWorker = options.only !== 'api' && options.worker !== 'none'
  const readers = options.readers ?? config.workers ?? availableParallelism()
  try {
    // what takes time at the start happens side by side: the database, the program's own code, the reader children
    const opening = openEngine(config, log)
    const pool = hasWorker && options.worker === 'inline' ? openPool(config, readers) : null
    const api = options.only === 'worker' ? null : import('../api/index.ts')
    const engine = await opening.catch(async (error: unknown) => {
      await (await pool)?.readers.close()
      throw error
    })
    stops.push(() => engine.close())
    const url = api && (await listen(engine, options, (await api).buildApi, stops))
    if (pool) stops.push(await inlineWorker(engine, await pool))
    else if (hasWorker) stops.push(superviseWorker(engine, readers))
    if (engine.opened.embedded) stops.push(superviseDatabase(engine))
    return { engine, url, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function listen(
  engine: Engine,
  options: ServerOptions,
  build: typeof buildApi,
  stops: (() => Promise<void>)[],
): Promise<string> {
  const { config, database, store, plan, log } = engine
  const api = await build({
    database,
    store,
    plan,
    log,
    version: options.version,
    trustedProxies: config.trustedProxies,
  })
  stops.push(() => api.close())
  const url = await api.listen({ host: options.host, port: options.port })
  if (engine.opened.embedded) await updateServerFile(config.dataDir, { httpAddress: url })
  return url
}

interface EarlyPool {
  readers: ReaderPool
  temporary: string
  startWorker: typeof startWorker
}

async function openPool(config: Config, size: number): Promise<EarlyPool> {
  const worker = await import('../worker/index.ts')
  const temporary = await workerFolder(config.dataDir)
  return {
    readers: worker.openReaderPool(size, temporary, config.failpoint),
    temporary,
    startWorker: worker.startWorker,
  }
}

async function inlineWorker(engine: Engine, pool: EarlyPool): Promise<(graceMs?: number) => Promise<void>> {
  const { database, store, log, config } = engine
  const { readers, temporary } = pool
  const worker = await pool.startWorker({
    database,
    store,
    log,
    readers,
    temporary,
    retryBaseSeconds: config.retryBaseSeconds,
  })
  return (graceMs) => worker.stop(graceMs)
}
