import { beforeAll, describe, expect, it } from 'vitest'
import { chaosRun, verdict, type ChaosReport } from '../support/chaos/run.ts'

/**
 * A fixed few of the seeded runs of `npm run chaos`: between them they kill the server, the worker and a reader, and die
 * at failpoints of intake, reading, finalising and deletion.
 */
const SEEDS = [3, 5, 10, 14, 16, 18]

describe('kill -9 at random moments of a batch', () => {
  let clean: ChaosReport
  beforeAll(async () => {
    clean = await chaosRun(0)
  })

  it('is not needed for the undisturbed run to be right', () => {
    expect(verdict(clean, clean)).toEqual([])
    expect(clean.outcome.split('\n')).toHaveLength(34)
  })

  it.each(SEEDS)('loses nothing, doubles nothing and counts right (seed %i)', { timeout: 180_000 }, async (seed) => {
    const report = await chaosRun(seed)
    expect(verdict(report, clean), `repeat with: npm run chaos -- --seed ${seed}; ${report.faults.join(', ')}`).toEqual(
      [],
    )
    expect(report.snapshots).toBeGreaterThan(5)
  })
})
