import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  batchEnd,
  BATCH_ENDS,
  BATCH_STATUSES,
  BATCH_TRANSITIONS,
  DOCUMENT_STATES,
  DOCUMENT_TRANSITIONS,
  END_STATES,
  type Counters,
} from './states.ts'

const NONE: Counters = {
  total: 0,
  received: 0,
  queued: 0,
  running: 0,
  retryWait: 0,
  needsInput: 0,
  succeeded: 0,
  partial: 0,
  failed: 0,
  skipped: 0,
  cancelled: 0,
}

describe('the end of a batch', () => {
  it.each([
    ['no document at all', {}, 'completed'],
    ['all succeeded', { succeeded: 3 }, 'completed'],
    ['succeeded and skipped', { succeeded: 1, skipped: 2 }, 'completed'],
    ['only skipped', { skipped: 2 }, 'completed'],
    ['one partial', { succeeded: 2, partial: 1 }, 'partial'],
    ['one failed', { succeeded: 2, failed: 1 }, 'partial'],
    ['one needs a password', { succeeded: 2, needsInput: 1 }, 'partial'],
    ['cancelled after some', { succeeded: 2, cancelled: 5 }, 'partial'],
    ['all failed', { failed: 3 }, 'failed'],
    ['failed and skipped', { failed: 1, skipped: 1 }, 'failed'],
    ['all need a password', { needsInput: 2 }, 'failed'],
    ['all cancelled', { cancelled: 4 }, 'cancelled'],
    ['cancelled and failed, none good', { cancelled: 4, failed: 1 }, 'failed'],
  ] as const)('%s', (_name, counters, end) => {
    expect(batchEnd({ ...NONE, ...counters })).toBe(end)
  })

  it('is never completed when something is not good', () => {
    const few = fc.integer({ min: 0, max: 3 })
    fc.assert(
      fc.property(
        fc.record({ succeeded: few, partial: few, failed: few, skipped: few, cancelled: few, needsInput: few }),
        (counters) => {
          const bad = counters.partial + counters.failed + counters.cancelled + counters.needsInput
          expect(batchEnd({ ...NONE, ...counters }) === 'completed').toBe(bad === 0)
        },
      ),
    )
  })
})

describe('the transitions', () => {
  it('name only known states and leave no state unreachable', () => {
    for (const [transitions, states, first] of [
      [DOCUMENT_TRANSITIONS, DOCUMENT_STATES, 'received'],
      [BATCH_TRANSITIONS, BATCH_STATUSES, 'open'],
    ] as const) {
      const reached = new Set<string>([first])
      for (const { from, to } of Object.values(transitions)) {
        for (const state of [...from, to]) expect(states).toContain(state)
        reached.add(to)
      }
      expect([...reached].sort()).toEqual([...states].sort())
    }
  })

  it('leave an end only by an explicit retry or expiry', () => {
    const leavers = Object.entries(BATCH_TRANSITIONS).filter(([, { from }]) =>
      from.some((state) => (BATCH_ENDS as readonly string[]).includes(state)),
    )
    expect(leavers.map(([name]) => name).sort()).toEqual(['expire', 'retry'])
    const documentLeavers = Object.entries(DOCUMENT_TRANSITIONS).filter(([, { from }]) =>
      from.some((state) => (END_STATES as readonly string[]).includes(state)),
    )
    expect(documentLeavers.map(([name]) => name)).toEqual(['retry'])
  })
})
