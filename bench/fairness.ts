import { setTimeout as pause } from 'node:timers/promises'
import { createLog } from '../src/core/index.ts'
import { startLeaseLoop, startMaintenance } from '../src/worker/index.ts'
import { calm, circumstances, median, milliseconds, number, spread, table, until, verdict } from './measure.ts'
import { createWorkspace, queueBatch, type QueuedBatch } from './queued-batch.ts'
import { startBundledServer, type BenchServer } from './servers.ts'

const LARGE = 5000
const SMALL = 5
const SMALL_BATCHES = 10
const LIMIT_MS = 100

interface Load {
  name: string
  slots: number
  /** What a document takes. */
  documentMs: number
}

const LOADS: readonly Load[] = [
  { name: '6 slots, 10 ms for a document', slots: 6, documentMs: 10 },
  { name: '24 slots, 20 ms for a document', slots: 24, documentMs: 20 },
]

interface Started {
  /** From the commit that queues five documents until the first and the last of them is begun. */
  first: number[]
  last: number[]
  /** What the same documents would have waited behind everything that was queued before them. */
  fifo: number[]
}

/** How long five documents wait that are queued behind five thousand of the same and of another workspace. */
export async function benchFairness(): Promise<string> {
  const server = await startBundledServer()
  try {
    const rows: string[][] = []
    for (const load of LOADS) {
      for (const isShared of [true, false]) {
        await calm()
        const { first, last, fifo } = await measure(server, load, isShared)
        const worst = Math.max(...last)
        rows.push([
          `${load.name}, ${isShared ? 'same workspace' : 'another workspace'}`,
          `${number(median(first))} ms`,
          `${number(median(last))} ms (${spread(last)})`,
          `${number(median(fifo) / 1000, 1)} s`,
          verdict(worst < LIMIT_MS, `${number(worst)} ms (< ${LIMIT_MS})`),
        ])
      }
    }
    return [
      `### Fairness: ${server.name}`,
      `${SMALL_BATCHES} times ${SMALL} documents queued while ${number(LARGE)} of one batch wait. ${circumstances()}`,
      table(['load', 'first of five begun', 'last begun (range)', 'plain FIFO', 'worst'], rows),
    ].join('\n\n')
  } finally {
    await server.stop()
  }
}

async function measure(server: BenchServer, load: Load, isShared: boolean): Promise<Started> {
  const bench = await server.openDatabase()
  const large = await createWorkspace(bench)
  const small = isShared ? large : await createWorkspace(bench)
  await queueBatch(bench, large, LARGE)
  const begun = new Map<string, number>()
  const log = createLog('warn')
  const stopMaintenance = await startMaintenance(bench.database, log)
  const loop = await startLeaseLoop({
    database: bench.database,
    log,
    slots: load.slots,
    handlers: {
      document: async (lease) => {
        begun.set(lease.documentId!, performance.now())
        await pause(load.documentMs)
        return { state: 'succeeded', stage: 'save', error: null }
      },
    },
  })
  await until(() => begun.size > load.slots * 4, 'the start of the large batch')
  const started: Started = { first: [], last: [], fifo: [] }
  for (let i = 0; i < SMALL_BATCHES; i++) {
    await pause(50)
    const [beganAt, before] = [performance.now(), begun.size]
    let batch: QueuedBatch | undefined
    const queueing = await milliseconds(async () => (batch = await queueBatch(bench, small, SMALL)))
    const queued = performance.now()
    await until(() => batch!.documents.every((id) => begun.has(id)), 'the small batch')
    const waited = batch!.documents.map((id) => Math.max(0, begun.get(id)! - (beganAt + queueing)))
    started.first.push(Math.min(...waited))
    started.last.push(Math.max(...waited))
    const rate = (begun.size - before) / Math.max(1, performance.now() - beganAt)
    started.fifo.push((LARGE - before) / rate - (queued - beganAt))
  }
  await loop.stop(1000)
  await stopMaintenance()
  await bench.close()
  return started
}
