import { failpoint } from '../core/index.ts'
import { sql, type Transaction } from '../database/index.ts'
import { appendEvent, type Lease, type Outcome } from '../queue/index.ts'
import { summarizeBatch } from '../summarize/index.ts'

/**
 * Brings a finalizing batch to its end: summary, end state and event in the transaction that gives the lease back, so
 * it happens exactly once. If documents were retried meanwhile, the batch is not finalizing any more and nothing happens.
 */
export function finalizeBatch(lease: Lease): Promise<Outcome> {
  failpoint('before-finalize')
  return Promise.resolve({ state: 'succeeded', stage: 'finalize', error: null, also: (tx) => writeEnd(tx, lease) })
}

async function writeEnd(tx: Transaction, lease: Lease): Promise<void> {
  const { workspaceId, batchId, runNumber } = lease
  const { rows } = await tx.execute<{ revision: number }>(sql`
    select r.revision from batches b join runs r on r.workspace_id = b.workspace_id and r.batch_id = b.id and r.number = b.run_number
    where b.workspace_id = ${workspaceId} and b.id = ${batchId} and b.run_number = ${runNumber} and b.status = 'finalizing' and b.deleted_at is null`)
  if (!rows[0]) return
  const summary = await summarizeBatch(tx, workspaceId, batchId!, runNumber!, rows[0].revision + 1)
  await tx.execute(sql`
    update batches set status = ${summary.status}, ended_as = ${summary.status}, ended_at = now(), updated_at = now(), version = version + 1
    where workspace_id = ${workspaceId} and id = ${batchId} and status = 'finalizing'`)
  await tx.execute(sql`
    update runs set status = ${summary.status}, ended_at = now(), revision = ${summary.revision}, summary = ${JSON.stringify(summary)}::jsonb
    where workspace_id = ${workspaceId} and batch_id = ${batchId} and number = ${runNumber}`)
  await appendEvent(tx, {
    workspaceId,
    batchId: batchId!,
    type: 'batch.completed',
    data: { run: runNumber, revision: summary.revision, status: summary.status },
  })
  failpoint('before-finalize-commit')
}
