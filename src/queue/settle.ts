import { type Database, sql, type SQL, type Transaction } from '../database/index.ts'
import { enqueueService } from './enqueue.ts'
import { appendEvent } from './events.ts'

/**
 * Looks whether all documents of a batch have ended, and if so sends it back to `open` or on to `finalizing`.
 * Runs after the completions committed: of two workers that end the last two documents, the later one sees both.
 */
export async function settleBatch(
  database: Database,
  workspaceId: string,
  batchId: string,
): Promise<'open' | 'finalizing' | null> {
  return database.asUser({ workspaceId, userId: null }, async (tx) => {
    if (await hasUnfinished(tx, workspaceId, batchId)) return null
    return settleLocked(tx, workspaceId, batchId)
  })
}

/** The part of settling that may stand in another transaction, e.g. the closing of the intake. */
export async function settleLocked(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
): Promise<'open' | 'finalizing' | null> {
  // an upload holds this lock while it adds documents, so what is seen after it is complete
  const { rows } = await tx.execute<{ intake: string; status: string; run_number: number }>(sql`
    select intake, status, run_number from batches
    where workspace_id = ${workspaceId} and id = ${batchId} and deleted_at is null for no key update`)
  const batch = rows[0]
  if (!batch || (await hasUnfinished(tx, workspaceId, batchId))) return null
  const next = batch.intake === 'open' ? 'open' : 'finalizing'
  const moved =
    next === 'open' ? await goIdle(tx, workspaceId, batchId) : await beginFinalizing(tx, workspaceId, batchId)
  if (!moved) return null
  await appendEvent(tx, { workspaceId, batchId, type: 'batch.updated', data: { status: next } })
  if (next === 'finalizing') await enqueueService(tx, 'finalize', { workspaceId, batchId, runNumber: batch.run_number })
  return next
}

async function hasUnfinished(tx: Transaction, workspaceId: string, batchId: string): Promise<boolean> {
  const { rows } = await tx.execute<{ unfinished: boolean }>(sql`
    select ${unfinishedDocuments} as unfinished from batches b where b.workspace_id = ${workspaceId} and b.id = ${batchId}`)
  return rows[0]?.unfinished ?? false
}

/**
 * Whether documents of the run of batch `b` have not ended: one look into each of the three indexes. Of the queue the
 * end is looked at, because at its front stand the entries of what has been taken since the last vacuum.
 */
export const unfinishedDocuments: SQL = sql`(
  exists (select from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id and j.run_number = b.run_number
    and j.kind = 'document' and j.state = 'running')
  or exists (select from (select j.kind from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id and j.run_number = b.run_number
    and j.kind = 'document' and j.state = 'queued' order by j.vt desc limit 1) last)
  or exists (select from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id and j.run_number = b.run_number
    and j.kind = 'document' and j.state in ('received', 'retry_wait')))`

async function goIdle(tx: Transaction, workspaceId: string, batchId: string): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`
    update batches set status = 'open', opened_at = now(), updated_at = now(), version = version + 1
    where workspace_id = ${workspaceId} and id = ${batchId} and status in ('queued', 'processing')`)
  return rowCount === 1
}

async function beginFinalizing(tx: Transaction, workspaceId: string, batchId: string): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`
    update batches set status = 'finalizing', finalizing_at = now(), updated_at = now(), version = version + 1
    where workspace_id = ${workspaceId} and id = ${batchId} and status in ('open', 'queued', 'processing', 'cancelling', 'paused')`)
  return rowCount === 1
}
