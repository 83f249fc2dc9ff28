import { describeFailure, appendEvent, type Lease, type Outcome } from '../queue/index.ts'
import { toSheafError } from '../core/index.ts'
import { type Database, sql } from '../database/index.ts'
import { exportBatch, type ExportFormat } from '../export/index.ts'
import type { BlobStore } from '../storage/index.ts'

/** Writes an export as a blob; it can be downloaded only when it is complete. */
export async function writeExport(lease: Lease, database: Database, store: BlobStore): Promise<Outcome> {
  const { workspaceId, batchId, runNumber } = lease
  const exportId = lease.data!['exportId'] as string
  const context = { workspaceId, userId: null }
  try {
    const staged = await store.stage(
      exportBatch(database, context, {
        batchId: batchId!,
        runNumber: runNumber!,
        format: lease.data!['format'] as ExportFormat,
      }),
    )
    const key = `${workspaceId}/export/${exportId}`
    await staged.commit(key)
    return {
      state: 'succeeded',
      stage: 'export',
      error: null,
      also: async (tx) => {
        await tx.execute(
          sql`insert into blobs (workspace_id, key, sha256, bytes) values (${workspaceId}, ${key}, ${staged.sha256}, ${staged.bytes}) on conflict do nothing`,
        )
        await tx.execute(sql`
          update exports set state = 'completed', blob_key = ${key}, sha256 = ${staged.sha256}, bytes = ${staged.bytes}, completed_at = now()
          where workspace_id = ${workspaceId} and id = ${exportId} and state <> 'completed'`)
        await appendEvent(tx, { workspaceId, batchId: batchId!, type: 'export.completed', data: { exportId } })
      },
    }
  } catch (error) {
    const { code, detail } = toSheafError(error)
    const failure = describeFailure(
      { code, stage: 'export', ...(detail !== undefined && { detail }) },
      lease.attempt,
      new Date(),
    )
    return {
      state: 'failed',
      stage: 'export',
      error: failure,
      also: async (tx) => {
        await tx.execute(
          sql`update exports set state = 'failed', error = ${JSON.stringify(failure)}::jsonb, completed_at = now() where workspace_id = ${workspaceId} and id = ${exportId}`,
        )
      },
    }
  }
}
