/**
 * Every state of a document and of a batch, and every transition between them, once.
 * The code guards its updates with these tables, the database checks the names, and
 * docs/reference/job-states.md is generated from them.
 */

export const DOCUMENT_STATES = ['received', 'queued', 'running', 'retry_wait', 'needs_input', 'succeeded', 'partial', 'failed', 'skipped', 'cancelled'] as const
export type DocumentState = (typeof DOCUMENT_STATES)[number]

/** States in which a document is finished unless a person retries it. */
export const END_STATES = ['succeeded', 'partial', 'failed', 'skipped', 'cancelled'] as const satisfies DocumentState[]
/** States that count as processed: the ends, and the resting place `needs_input`. */
export const PROCESSED_STATES = [...END_STATES, 'needs_input'] as const satisfies DocumentState[]
/** States that keep a batch from being finalised. */
export const UNFINISHED_STATES = ['received', 'queued', 'running', 'retry_wait'] as const satisfies DocumentState[]

export interface Transition<S extends string> {
  from: readonly S[]
  to: S
  /** What happens, in the words of the event that causes it. */
  cause: string
}

export const DOCUMENT_TRANSITIONS = {
  enqueue: { from: ['received'], to: 'queued', cause: 'the batch starts (on arrival, or when it is closed)' },
  lease: { from: ['queued'], to: 'running', cause: 'a worker leases the document; an attempt begins' },
  succeed: { from: ['running'], to: 'succeeded', cause: 'every step ended well' },
  succeedInPart: { from: ['running'], to: 'partial', cause: 'some pages or steps failed, others ended well' },
  fail: { from: ['running'], to: 'failed', cause: 'an error that is not retried, or no retry is left' },
  backOff: { from: ['running'], to: 'retry_wait', cause: 'an error that is retried, or a dependency is away' },
  askForInput: { from: ['running'], to: 'needs_input', cause: 'the document needs a password' },
  skip: { from: ['running'], to: 'skipped', cause: 'the document repeats the content of another one' },
  retryDue: { from: ['retry_wait'], to: 'queued', cause: 'the waiting time is over' },
  release: { from: ['running'], to: 'queued', cause: 'the worker stops or died; the attempt is not used up' },
  cancel: { from: ['received', 'queued', 'running', 'retry_wait', 'needs_input'], to: 'cancelled', cause: 'a person cancels the batch' },
  retry: { from: ['succeeded', 'partial', 'failed', 'skipped', 'cancelled', 'needs_input'], to: 'queued', cause: 'a person retries the document: a new generation with a fresh budget' },
} as const satisfies Record<string, Transition<DocumentState>>

export const BATCH_STATUSES = ['open', 'queued', 'processing', 'paused', 'cancelling', 'finalizing', 'completed', 'partial', 'failed', 'cancelled', 'expired'] as const
export type BatchStatus = (typeof BATCH_STATUSES)[number]
export const BATCH_ENDS = ['completed', 'partial', 'failed', 'cancelled'] as const satisfies BatchStatus[]

export const BATCH_TRANSITIONS = {
  queue: { from: ['open'], to: 'queued', cause: 'a document waits' },
  start: { from: ['open', 'queued'], to: 'processing', cause: 'a worker leases the first document' },
  idle: { from: ['queued', 'processing'], to: 'open', cause: 'all documents have ended and the intake is still open' },
  pause: { from: ['open', 'queued', 'processing'], to: 'paused', cause: 'a person pauses the batch' },
  resume: { from: ['paused'], to: 'queued', cause: 'a person resumes the batch' },
  cancel: { from: ['open', 'queued', 'processing', 'paused'], to: 'cancelling', cause: 'a person cancels the batch; its intake closes' },
  finalize: { from: ['open', 'queued', 'processing', 'cancelling', 'paused'], to: 'finalizing', cause: 'the intake is closed and all documents have ended' },
  complete: { from: ['finalizing'], to: 'completed', cause: 'every document succeeded or was skipped' },
  completeInPart: { from: ['finalizing'], to: 'partial', cause: 'some documents are good and some are not' },
  fail: { from: ['finalizing'], to: 'failed', cause: 'no document is good and at least one failed or needs input' },
  endCancelled: { from: ['finalizing'], to: 'cancelled', cause: 'cancelled and no document is good' },
  retry: { from: ['open', 'finalizing', 'completed', 'partial', 'failed', 'cancelled'], to: 'queued', cause: 'a person retries documents or starts a new run' },
  expire: { from: ['completed', 'partial', 'failed', 'cancelled'], to: 'expired', cause: 'the retention time is over' },
} as const satisfies Record<string, Transition<BatchStatus>>

export type Counters = Record<'total' | 'received' | 'queued' | 'running' | 'retryWait' | 'needsInput' | 'succeeded' | 'partial' | 'failed' | 'skipped' | 'cancelled', number>

/** The end a batch comes to, from the counters of its documents (product.md, "Batch: two axes"). */
export function batchEnd(counters: Counters): (typeof BATCH_ENDS)[number] {
  const good = counters.succeeded + counters.partial
  const bad = counters.failed + counters.needsInput
  if (good === 0 && bad > 0) return 'failed'
  if (good === 0 && counters.cancelled > 0) return 'cancelled'
  if (counters.partial + bad + counters.cancelled > 0) return 'partial'
  return 'completed'
}
