import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'

export interface DeletionRow {
  batchId: string
  batchName: string
  requestedAt: string
  /** Null until rows and blobs are gone. */
  completedAt: string | null
  receipt: Record<string, unknown> | null
}

/** The receipt of a deleted batch; it outlives the batch. */
export async function readDeletion(tx: Transaction, workspaceId: string, batchId: string): Promise<DeletionRow | null> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select batch_id, batch_name, requested_at, completed_at, receipt from deletions where workspace_id = ${workspaceId} and batch_id = ${batchId}`)
  const row = rows[0]
  if (!row) return null
  return {
    batchId: row['batch_id'] as string,
    batchName: row['batch_name'] as string,
    requestedAt: isoTime(row['requested_at'])!,
    completedAt: isoTime(row['completed_at']),
    receipt: row['receipt'] as DeletionRow['receipt'],
  }
}

/** What a workspace holds: batches and documents that are not deleted, and the bytes of all its blobs. */
export async function readUsage(
  tx: Transaction,
  workspaceId: string,
): Promise<{ batches: number; documents: number; bytes: number }> {
  const { rows } = await tx.execute<{ batches: number; documents: number; bytes: number }>(sql`
    select (select count(*) from batches where workspace_id = ${workspaceId} and deleted_at is null) as batches,
      (select count(*) from documents d join batches b on b.workspace_id = d.workspace_id and b.id = d.batch_id and b.deleted_at is null
        where d.workspace_id = ${workspaceId}) as documents,
      (select coalesce(sum(bytes), 0)::bigint from blobs where workspace_id = ${workspaceId}) as bytes`)
  return rows[0]!
}

/** The id of the newest published event of a workspace, 0 before the first. */
export async function lastEventId(tx: Transaction, workspaceId: string): Promise<number> {
  const { rows } = await tx.execute<{ id: number }>(sql`
    select coalesce(max(id), 0)::bigint as id from events where workspace_id = ${workspaceId} and id is not null`)
  return rows[0]!.id
}

/** Tells all API processes, when the transaction commits, that a batch is gone, so that they end its streams. */
export async function announceDeletion(tx: Transaction, batchId: string): Promise<void> {
  await tx.execute(sql`select pg_notify('sheaf_gone', ${batchId})`)
}
