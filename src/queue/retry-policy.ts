import { ERRORS, type DocumentError, type DocumentState, type ErrorCode } from '../core/index.ts'

/** What went wrong in an attempt. */
export interface Failure {
  code: ErrorCode
  stage: string
  detail?: string
  page?: number
  /** The document's own reader child died (it was not stopped by us for a reason of ours). */
  childDied?: boolean
  /** Something Sheaf depends on is away: a wait, neither an error nor an attempt. */
  waitingFor?: 'storage' | 'model' | 'database'
}

export interface Verdict {
  state: Extract<DocumentState, 'failed' | 'retry_wait' | 'needs_input' | 'cancelled'>
  error: DocumentError | null
  /** Seconds until the next attempt, for retry_wait. */
  delaySeconds: number | null
  waitingFor: string | null
  /** False when the attempt is given back. */
  attemptCounts: boolean
  childDeaths: number
  quarantined: boolean
  limitFactor: number
}

/** A document whose own reader child died so often is not read again. */
export const CHILD_DEATHS_TO_QUARANTINE = 2
/** How long to wait for a dependency, in units of the first backoff: 5 s by default. */
const DEPENDENCY_WAIT = 2.5
const LONGEST_DELAY_SECONDS = 300

/**
 * Decides what follows a failed attempt: pure, so that every rule of product.md "Errors" is tested as a table.
 * `random` is in [0, 1) and spreads retries (full jitter over the upper half of the delay).
 */
export function judgeFailure(
  failure: Failure,
  lease: { attempt: number; attemptsUsed: number; childDeaths: number; limitFactor: number },
  options: { baseSeconds: number; random: number; at: Date },
): Verdict {
  const definition = ERRORS[failure.code]
  const childDeaths = Math.min(CHILD_DEATHS_TO_QUARANTINE, lease.childDeaths + (failure.childDied ? 1 : 0))
  const quarantined = childDeaths >= CHILD_DEATHS_TO_QUARANTINE
  const base = {
    childDeaths,
    quarantined,
    limitFactor: lease.limitFactor,
    waitingFor: null,
    delaySeconds: null,
    attemptCounts: true,
  }
  if (failure.waitingFor) {
    return {
      ...base,
      state: 'retry_wait',
      error: null,
      attemptCounts: false,
      waitingFor: failure.waitingFor,
      delaySeconds: options.baseSeconds * DEPENDENCY_WAIT * (0.5 + options.random / 2),
    }
  }
  const mayRetry = !quarantined && lease.attemptsUsed <= definition.retries
  const error = describeFailure(failure, lease.attempt, options.at)
  if (failure.code === 'password_required' || failure.code === 'password_wrong')
    return { ...base, state: 'needs_input', error, attemptCounts: false }
  if (!mayRetry) return { ...base, state: 'failed', error }
  const longer = definition.category === 'timeout' ? 2 : 1
  return {
    ...base,
    state: 'retry_wait',
    error,
    limitFactor: lease.limitFactor * longer,
    delaySeconds: backoff(lease.attemptsUsed, options),
  }
}

/** Doubles with each attempt used; between half and the whole of the delay, so that a burst does not come back as one. */
export function backoff(attemptsUsed: number, options: { baseSeconds: number; random: number }): number {
  const delay = Math.min(LONGEST_DELAY_SECONDS, options.baseSeconds * 2 ** Math.max(0, attemptsUsed - 1))
  return delay * (0.5 + options.random / 2)
}

/** The error of a document as people see it, from the table of errors. */
export function describeFailure(failure: Failure, attempt: number, at: Date): DocumentError {
  const { category, message, action, retries } = ERRORS[failure.code]
  return {
    code: failure.code,
    category,
    stage: failure.stage,
    retryable: retries > 0,
    message,
    action,
    ...(failure.detail !== undefined && { detail: failure.detail.slice(0, 1000) }),
    ...(failure.page !== undefined && { page: failure.page }),
    attempt,
    at: at.toISOString(),
  }
}
