/**
 * `npm run chaos -- [--seeds N] [--seed S]`: seeded runs that kill -9 the server, its database, a worker or a reader child at random
 * moments or failpoints during upload, reading, finalising and deletion. Prints a line for each seed; exit 1 if one is
 * not as it must be, with the seed that repeats it.
 */
import { parseArgs } from 'node:util'
import { chaosRun, verdict } from '../test/support/chaos/run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    seed: { type: 'string' },
    from: { type: 'string', default: '1' },
  },
})
const first = Number(values.seed ?? values.from)
const count = values.seed ? 1 : Number(values.seeds)

const clean = await chaosRun(0)
const wrong = verdict(clean, clean)
if (wrong.length > 0) throw new Error(`the undisturbed run is already wrong:\n${wrong.join('\n')}`)

const totals = { runs: 0, lost: 0, duplicated: 0, deviations: 0, broken: 0, snapshots: 0, faults: 0 }
const restarts: number[] = []
const failed: number[] = []
for (let seed = first; seed < first + count; seed++) {
  const report = await chaosRun(seed)
  const problems = verdict(report, clean)
  totals.runs++
  totals.lost += report.lost.length
  totals.duplicated += report.duplicated.length
  totals.deviations += report.deviations.length
  totals.broken += report.broken.length
  totals.snapshots += report.snapshots
  totals.faults += report.faults.filter((fault) => fault !== 'start again').length
  restarts.push(...report.restarts)
  if (problems.length > 0) failed.push(seed)
  process.stdout.write(
    `seed ${seed}: ${problems.length === 0 ? 'ok' : 'WRONG'} (${report.snapshots} snapshots) ${report.faults.join(', ')}\n${problems.map((line) => `  ${line}\n`).join('')}`,
  )
}
restarts.sort((a, b) => a - b)
const percentile = (p: number): string =>
  (restarts[Math.min(restarts.length - 1, Math.floor(restarts.length * p))] ?? 0).toFixed(0)
process.stdout.write(
  `\n${JSON.stringify(totals)}\nready again after a kill: median ${percentile(0.5)} ms, p95 ${percentile(0.95)} ms, ${restarts.length} starts\n`,
)
if (failed.length > 0) {
  process.stdout.write(`repeat with: npm run chaos -- --seed ${failed[0]}   (all wrong: ${failed.join(', ')})\n`)
  process.exitCode = 1
}
