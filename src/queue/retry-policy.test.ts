import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ERROR_CODES, ERRORS } from '../core/index.ts'
import { backoff, judgeFailure, type Failure } from './retry-policy.ts'

const options = { baseSeconds: 2, random: 0.5, at: new Date(0) }
const first = { attempt: 1, attemptsUsed: 1, childDeaths: 0, limitFactor: 1 }
const judge = (failure: Partial<Failure> & Pick<Failure, 'code'>, lease = first) =>
  judgeFailure({ stage: 'parse', ...failure }, lease, options)

describe('what follows a failed attempt', () => {
  it.each([
    ['unsupported_type', 'failed'],
    ['bad_pdf', 'failed'],
    ['bad_zip', 'failed'],
    ['truncated', 'failed'],
    ['archive_limits', 'failed'],
    ['text_limits', 'failed'],
    ['no_text', 'failed'],
    ['password_required', 'needs_input'],
    ['password_wrong', 'needs_input'],
    ['parser_timeout', 'retry_wait'],
    ['page_timeout', 'retry_wait'],
    ['parser_memory', 'retry_wait'],
    ['parser_crash', 'retry_wait'],
    ['blob_missing', 'retry_wait'],
    ['blob_corrupt', 'retry_wait'],
    ['internal', 'retry_wait'],
  ] as const)('after the first %s it is %s', (code, state) => {
    expect(judge({ code }).state).toBe(state)
  })

  it('gives a document that timed out twice the time', () => {
    expect(judge({ code: 'parser_timeout' })).toMatchObject({ state: 'retry_wait', limitFactor: 2 })
    expect(judge({ code: 'parser_timeout' }, { ...first, attemptsUsed: 2, limitFactor: 2 })).toMatchObject({
      state: 'failed',
    })
  })

  it('puts a document in quarantine when its reader died for the second time', () => {
    const second = judge({ code: 'parser_crash', childDied: true }, { ...first, attemptsUsed: 2, childDeaths: 1 })
    expect(second).toMatchObject({ state: 'failed', quarantined: true, childDeaths: 2, error: { category: 'crash' } })
  })

  it('waits for storage that is away without using up the attempt', () => {
    expect(judge({ code: 'no_space', waitingFor: 'storage' })).toMatchObject({
      state: 'retry_wait',
      error: null,
      attemptCounts: false,
      waitingFor: 'storage',
    })
  })

  it('asks for a password without using up the attempt', () => {
    expect(judge({ code: 'password_required' })).toMatchObject({
      attemptCounts: false,
      error: { category: 'encrypted', retryable: false },
    })
  })

  it('never lets a document use more than four attempts, whatever happens', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...ERROR_CODES), fc.boolean()), { minLength: 8, maxLength: 8 }),
        (failures) => {
          let lease = { ...first, attemptsUsed: 0, attempt: 0 }
          for (const [code, childDied] of failures) {
            lease = { ...lease, attempt: lease.attempt + 1, attemptsUsed: lease.attemptsUsed + 1 }
            const verdict = judgeFailure({ code, stage: 'parse', childDied }, lease, options)
            expect(lease.attemptsUsed).toBeLessThanOrEqual(4)
            expect(verdict.childDeaths).toBeLessThanOrEqual(2)
            if (verdict.state !== 'retry_wait') return
            lease = { ...lease, childDeaths: verdict.childDeaths, limitFactor: verdict.limitFactor }
          }
          expect.unreachable('a document was tried eight times')
        },
      ),
    )
  })

  it('describes every error with category, sentence and action of the one table', () => {
    for (const code of ERROR_CODES) {
      const { error } = judge({ code }, { ...first, attemptsUsed: 4, childDeaths: 0 })
      expect(error).toMatchObject({
        code,
        category: ERRORS[code].category,
        message: ERRORS[code].message,
        action: ERRORS[code].action,
        attempt: 1,
      })
    }
  })
})

describe('the time before a retry', () => {
  it('doubles with every attempt and is spread over the upper half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (used, random) => {
        const delay = backoff(used, { baseSeconds: 2, random })
        expect(delay).toBeGreaterThanOrEqual(2 ** used / 2)
        expect(delay).toBeLessThanOrEqual(2 ** used)
      }),
    )
  })
})
