import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createLog } from '../src/core/index.ts'
import { startLeaseLoop, startMaintenance } from '../src/worker/index.ts'
import { calm, circumstances, median, number, spread, table, until, verdict } from './measure.ts'
import { createWorkspace, queueBatch } from './queued-batch.ts'
import { startBundledServer, startDebianServer, type BenchServer } from './servers.ts'

const ROUNDS = 8
const DOCUMENTS = 20
const LIMIT_MS = 1000

/** From kill −9 of a worker until another one, alive all the time, has begun all that the dead one held. */
export async function benchRecovery(): Promise<string> {
  const rows: string[][] = []
  for (const server of [await startDebianServer(), await startBundledServer()]) {
    if (!server) continue
    try {
      const times: number[] = []
      for (let round = 0; round < ROUNDS; round++) {
        await calm()
        times.push(await measure(server))
      }
      const worst = Math.max(...times)
      rows.push([
        server.name,
        `${number(median(times))} ms`,
        `${spread(times)} ms`,
        verdict(worst < LIMIT_MS, `${number(worst)} ms (< ${LIMIT_MS})`),
      ])
    } finally {
      await server.stop()
    }
  }
  return [
    '### Recovery: a killed worker',
    `${DOCUMENTS} documents in the hands of a worker process that gets SIGKILL, ${ROUNDS} rounds: time until another worker has begun the last of them. ${circumstances()}`,
    table(['server', 'median', 'range', 'worst'], rows),
  ].join('\n\n')
}

async function measure(server: BenchServer): Promise<number> {
  const bench = await server.openDatabase()
  const context = await createWorkspace(bench)
  await queueBatch(bench, context, DOCUMENTS)
  const victim = spawn(
    process.execPath,
    [fileURLToPath(new URL('./held-worker.ts', import.meta.url)), bench.url, String(DOCUMENTS)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  await once(victim.stdout, 'data')
  let begun = 0
  let lastBegun = 0
  const log = createLog('error')
  const stopMaintenance = await startMaintenance(bench.database, log)
  const loop = await startLeaseLoop({
    database: bench.database,
    log,
    slots: DOCUMENTS,
    handlers: {
      document: () => {
        begun++
        lastBegun = performance.now()
        return Promise.resolve({ state: 'succeeded', stage: 'save', error: null })
      },
    },
  })
  const killed = performance.now()
  victim.kill('SIGKILL')
  await until(() => begun === DOCUMENTS, 'the take-over')
  await loop.stop(1000)
  await stopMaintenance()
  await bench.close()
  return lastBegun - killed
}
