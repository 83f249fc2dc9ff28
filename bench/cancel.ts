import { cancelBatch } from '../src/queue/index.ts'
import { calm, circumstances, median, milliseconds, number, spread, table, verdict } from './measure.ts'
import { createWorkspace, queueBatch } from './queued-batch.ts'
import { startBundledServer, startDebianServer, type BenchServer } from './servers.ts'

const ROUNDS = 7
const DOCUMENTS = 10_000
const LIMIT_MS = 500

/** How long a person waits who cancels a batch with ten thousand queued documents. */
export async function benchCancel(): Promise<string> {
  const rows: string[][] = []
  for (const server of [await startDebianServer(), await startBundledServer()]) {
    if (!server) continue
    try {
      const times = await measure(server)
      const middle = median(times)
      rows.push([
        server.name,
        `${spread(times)} ms`,
        verdict(middle < LIMIT_MS, `${number(middle)} ms (< ${LIMIT_MS})`),
      ])
    } finally {
      await server.stop()
    }
  }
  return [
    '### Cancelling',
    `cancelBatch on ${number(DOCUMENTS)} queued documents, counters and event in the same transaction, ${ROUNDS} rounds. ${circumstances()}`,
    table(['server', 'range', 'median'], rows),
  ].join('\n\n')
}

async function measure(server: BenchServer): Promise<number[]> {
  const bench = await server.openDatabase()
  const context = await createWorkspace(bench)
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const batch = await queueBatch(bench, context, DOCUMENTS)
    await calm()
    let cancelled = 0
    times.push(await milliseconds(async () => (cancelled = await cancelBatch(bench.database, context, batch.id))))
    if (cancelled !== DOCUMENTS) throw new Error(`${cancelled} documents were cancelled`)
  }
  await bench.close()
  return times
}
