export { readCounters, summarizeBatch, type BatchSummary } from './summary.ts'
