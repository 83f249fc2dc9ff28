import { SheafError } from '../core/index.ts'
import { type Database, sql, type UserContext } from '../database/index.ts'
import type { BlobStore, StagedBlob } from '../storage/index.ts'
import { admitFiles, type AdmittedFile, type ReceivedFile } from './admit.ts'
import type { Plan } from './plan.ts'

/** Where stored documents are used again. */
export interface Reuse {
  batchId: string
  documents: readonly string[]
  store: BlobStore
  plan: Plan
}

/**
 * Adds documents of the workspace to another batch without sending a byte, in the given order and through the same
 * admission as an upload. Throws not_found when one of them is not visible or has no stored bytes, blob_missing.
 */
export async function reuseDocuments(database: Database, context: UserContext, reuse: Reuse): Promise<AdmittedFile[]> {
  if (reuse.documents.length === 0) return []
  const files = await database.asUser(context, async (tx) => {
    const { rows } = await tx.execute<{ id: string; path: string; sha256: string; bytes: number }>(sql`
      select d.id, d.path, d.sha256, d.bytes from documents d
      join batches b on b.workspace_id = d.workspace_id and b.id = d.batch_id and b.deleted_at is null and b.status <> 'expired'
      where d.workspace_id = ${context.workspaceId} and d.id = any(${sql.param(reuse.documents)}::uuid[]) and d.sha256 is not null
        and d.bytes > 0`)
    const byId = new Map(rows.map((row) => [row.id, row]))
    return reuse.documents.map((id): ReceivedFile => {
      const row = byId.get(id.toLowerCase())
      if (!row) throw new SheafError('not_found')
      return { path: row.path, staged: storedBlob(reuse.store, row) }
    })
  })
  return admitFiles(database, context, reuse.batchId, files, reuse.plan)
}

/** Bytes that have their final name already. Looked at under the lock of their row, so a deletion cannot come between. */
function storedBlob(store: BlobStore, { sha256, bytes }: { sha256: string; bytes: number }): StagedBlob {
  return {
    sha256,
    bytes,
    commit: async (key) => {
      if (!(await store.head(key))) throw new SheafError('blob_missing')
    },
    discard: async () => {},
  }
}
