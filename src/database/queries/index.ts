export { findKey, insertKey, listKeys, revokeKey, type KeyRow } from './api-keys.ts'
export { keepAnswer, takeIdempotencyKey, type KeptAnswer } from './idempotency.ts'
export { listBatches, readBatch, type BatchFilter, type BatchRow } from './read-batches.ts'
export { knownBlobs, readContent, type ContentRow } from './read-content.ts'
export {
  listDocumentDetails,
  listDocuments,
  readDocument,
  type AttemptRow,
  type DocumentDetail,
  type DocumentFilter,
  type DocumentRow,
} from './read-documents.ts'
export { insertExport, listExports, readExport, type ExportRow } from './read-exports.ts'
export { readMetrics, type MetricsRow } from './read-metrics.ts'
export { readStatus } from './read-status.ts'
export { announceDeletion, lastEventId, readDeletion, readUsage, type DeletionRow } from './read-workspace.ts'
