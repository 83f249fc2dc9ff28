export { claimJobs, heartbeat, releaseLeases, type Lease } from './claim.ts'
export { completeJobs, type Completion, type DocumentFacts, type Outcome, type StageResult } from './complete.ts'
export {
  cancelBatch,
  cancelDocuments,
  lockBatch,
  pauseBatch,
  resumeBatch,
  retryDocuments,
  type RetryRequest,
} from './control.ts'
export {
  enqueueDocuments,
  enqueueService,
  wakeWorkers,
  type BatchPlace,
  type DocumentJob,
  type ServiceKind,
} from './enqueue.ts'
export {
  appendDocumentEvents,
  appendEvent,
  publishEvents,
  readEvents,
  type EventType,
  type StoredEvent,
} from './events.ts'
export { registerWorker, type Registration } from './registration.ts'
export { describeFailure, judgeFailure, type Failure, type Verdict } from './retry-policy.ts'
export { settleBatch, settleLocked } from './settle.ts'
export { enqueueDue, feedStarving, foldDeltas, settleForgotten, takeOver } from './sweep.ts'
