export { summarizeBatch, type BatchSummary } from './summary.ts'
