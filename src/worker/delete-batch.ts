import { failpoint } from '../core/index.ts'
import { sql, type Transaction } from '../database/index.ts'
import { appendEvent, type Lease, type Outcome } from '../queue/index.ts'
import type { BlobStore } from '../storage/index.ts'

/**
 * Deletes a batch with everything derived from it, and writes the receipt. Blobs go inside the transaction, while their
 * rows are locked: whoever stores the same content in this moment waits, and then writes it again. A death in between
 * leaves rows without bytes that nothing but this batch refers to; the next attempt deletes them.
 */
export function deleteBatch(lease: Lease, store: BlobStore): Promise<Outcome> {
  failpoint('before-delete')
  const batchId = lease.data!['batchId'] as string
  return Promise.resolve({
    state: 'succeeded',
    stage: 'delete',
    error: null,
    also: (tx) => erase(tx, store, lease.workspaceId, batchId),
  })
}

async function erase(tx: Transaction, store: BlobStore, workspaceId: string, batchId: string): Promise<void> {
  await tx.execute(sql`select id from batches where workspace_id = ${workspaceId} and id = ${batchId} for update`)
  const rows = await countRows(tx, workspaceId, batchId)
  const blobs = await takeBlobs(tx, workspaceId, batchId)
  for (const blob of blobs) {
    await store.delete(blob.key)
    failpoint('after-delete-blobs')
  }
  await tx.execute(sql`delete from events where workspace_id = ${workspaceId} and batch_id = ${batchId}`)
  await tx.execute(sql`delete from batches where workspace_id = ${workspaceId} and id = ${batchId}`)
  const left = await countRows(tx, workspaceId, batchId)
  const receipt = {
    rows,
    left,
    blobs: {
      sources: blobs.filter((blob) => blob.key.includes('/source/')).length,
      derived: blobs.filter((blob) => !blob.key.includes('/source/')).length,
      bytes: blobs.reduce((sum, blob) => sum + blob.bytes, 0),
    },
  }
  await tx.execute(sql`
    update deletions set completed_at = now(), receipt = ${JSON.stringify(receipt)}::jsonb where workspace_id = ${workspaceId} and batch_id = ${batchId}`)
  await appendEvent(tx, { workspaceId, batchId, type: 'batch.deleted' })
  failpoint('before-delete-commit')
}

async function countRows(tx: Transaction, workspaceId: string, batchId: string): Promise<Record<string, number>> {
  const { rows } = await tx.execute<Record<string, number>>(sql`
    select (select count(*)::integer from batches where workspace_id = ${workspaceId} and id = ${batchId}) as batches,
      (select count(*)::integer from runs where workspace_id = ${workspaceId} and batch_id = ${batchId}) as runs,
      (select count(*)::integer from documents where workspace_id = ${workspaceId} and batch_id = ${batchId}) as documents,
      (select count(*)::integer from jobs where workspace_id = ${workspaceId} and batch_id = ${batchId}) as jobs,
      (select count(*)::integer from attempts a join jobs j on j.workspace_id = a.workspace_id and j.id = a.job_id where j.workspace_id = ${workspaceId} and j.batch_id = ${batchId}) as attempts,
      (select count(*)::integer from results where workspace_id = ${workspaceId} and batch_id = ${batchId}) as results,
      (select count(*)::integer from exports where workspace_id = ${workspaceId} and batch_id = ${batchId}) as exports,
      (select count(*)::integer from events where workspace_id = ${workspaceId} and batch_id = ${batchId}) as events`)
  return rows[0]!
}

/** Removes the rows of blobs that only this batch refers to; content shared with other batches stays. */
async function takeBlobs(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
): Promise<{ key: string; bytes: number }[]> {
  const { rows } = await tx.execute<{ key: string; bytes: number }>(sql`
    with mine as (
      select distinct ${workspaceId}::text || '/source/' || sha256 as key from documents where workspace_id = ${workspaceId} and batch_id = ${batchId} and sha256 is not null
      union select blob_key from results where workspace_id = ${workspaceId} and batch_id = ${batchId} and blob_key is not null
      union select blob_key from exports where workspace_id = ${workspaceId} and batch_id = ${batchId} and blob_key is not null
    )
    delete from blobs b using mine m
    where b.workspace_id = ${workspaceId} and b.key = m.key
      and not exists (select from documents d where d.workspace_id = ${workspaceId} and d.batch_id <> ${batchId} and b.key = ${workspaceId}::text || '/source/' || d.sha256)
      and not exists (select from results r where r.workspace_id = ${workspaceId} and r.batch_id <> ${batchId} and r.blob_key = b.key)
    returning b.key, b.bytes`)
  return rows
}
