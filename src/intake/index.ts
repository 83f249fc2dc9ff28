export { admitFiles, admitMembers, isRefusal, type AdmittedFile, type ReceivedFile } from './admit.ts'
export {
  closeBatch,
  createBatch,
  PRIORITIES,
  requestDeletion,
  startRun,
  updateBatch,
  type NewBatch,
  type Priority,
} from './batches.ts'
export { reuseDocuments, type Reuse } from './reuse.ts'
export { loadPlan, planSchema, UNLIMITED, type Plan } from './plan.ts'
