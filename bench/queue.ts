import { circumstances, median, number, ratio, spread, table, verdict } from './measure.ts'
import { boss, graphile, plainSkipLocked, sheaf, type QueueRound } from './peers.ts'
import { startBundledServer, startDebianServer, type BenchServer } from './servers.ts'

const ROUNDS = 3
const JOBS = 40_000

interface Contestant {
  name: string
  round: QueueRound
}

const CONTESTANTS: readonly Contestant[] = [
  { name: 'Sheaf', round: sheaf },
  { name: 'graphile-worker, local queue', round: graphile },
  { name: 'pg-boss, batches', round: boss },
  { name: 'plain SKIP LOCKED (pgbench)', round: plainSkipLocked },
]

/** Jobs/s of empty jobs beside three peers on the same server, rounds interleaved. */
export async function benchQueue(): Promise<string> {
  const debian = await startDebianServer()
  const parts: string[] = []
  if (debian) parts.push(await onServer(debian))
  else parts.push('PostgreSQL 15 of Debian is not installed here: its half of the table is missing.')
  parts.push(await onServer(await startBundledServer()))
  return parts.join('\n\n')
}

async function onServer(server: BenchServer): Promise<string> {
  const measured = new Map<Contestant, number[]>(CONTESTANTS.map((one) => [one, []]))
  const missing: string[] = []
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      for (const contestant of CONTESTANTS) {
        if (!measured.has(contestant)) continue
        const rate = await contestant.round(server, round === 0 ? JOBS / 4 : JOBS).catch((error: unknown) => {
          missing.push(`${contestant.name} did not run: ${String(error)}`)
          measured.delete(contestant)
          return 0
        })
        await server.dropDatabases()
        // the first round warms programs and files
        if (round > 0) measured.get(contestant)?.push(rate)
      }
    }
  } finally {
    await server.stop()
  }
  return report(server, measured, missing)
}

function report(server: BenchServer, measured: Map<Contestant, number[]>, missing: string[]): string {
  const [ours, ...peers] = [...measured]
  const required = (peer: Contestant): number => (peer.round === plainSkipLocked ? 5 : peer.round === graphile ? 1 : 0)
  const factor = (peer: Contestant, rates: number[]): string => {
    const times = ratio(ours![1], rates)
    const goal = required(peer)
    return goal === 0 ? `${number(times, 2)}×` : verdict(times >= goal, `${number(times, 2)}× (≥ ${goal}×)`)
  }
  const rows = [
    ['Sheaf', number(median(ours![1])), spread(ours![1]), ''],
    ...peers.map(([peer, rates]) => [peer.name, number(median(rates)), spread(rates), factor(peer, rates)]),
  ]
  return [
    `### Queue: ${server.name}`,
    `${number(JOBS)} empty jobs, ${ROUNDS} interleaved rounds, median. ${circumstances()}`,
    table(['queue', 'jobs/s', 'range', 'Sheaf against it'], rows),
    ...missing,
  ].join('\n\n')
}
