/**
 * The worker process of `sheaf serve`. Its settings come by the channel to its parent. `stop` ends it gracefully; when
 * the channel just closes, the parent was killed and the database with it: then there is nothing to wait for.
 */
import { armFailpoints, createLog } from '../core/index.ts'
import { connectDatabase, type DatabaseConnection } from '../database/index.ts'
import { openStore } from '../storage/index.ts'
import { startWorker } from '../worker/index.ts'
import { workerFolder } from './worker-folder.ts'

export interface WorkerProcessSettings {
  connection: DatabaseConnection
  storageUrl: string
  dataDir: string
  readers: number
  retryBaseSeconds: number
  logLevel: string
  failpoints: string | undefined
}

export type WorkerProcessMessage = { settings: WorkerProcessSettings } | { stop: { graceMs?: number | undefined } }

// signals go to the whole group of processes; the parent decides when this one stops
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.once('disconnect', () => process.exit(1))
const { promise: stopRequested, resolve: requestStop } = Promise.withResolvers<{ graceMs?: number | undefined }>()
process.on('message', (message: WorkerProcessMessage) => {
  if ('stop' in message) requestStop(message.stop)
  else void main(message.settings)
})

async function main(settings: WorkerProcessSettings): Promise<void> {
  armFailpoints(settings.failpoints)
  const log = createLog(settings.logLevel)
  const database = connectDatabase(settings.connection)
  const store = await openStore(settings.storageUrl)
  const worker = await startWorker({
    ...settings,
    database,
    store,
    log,
    temporary: await workerFolder(settings.dataDir),
  })
  const { graceMs } = await stopRequested
  await worker.stop(graceMs)
  await database.close()
  process.exit(0)
}
