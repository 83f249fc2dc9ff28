import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'

/** Where the bytes of a document lie. */
export interface ContentRow {
  path: string
  /** Null for a file that was refused before its bytes were kept. */
  sha256: string | null
  bytes: number
  /** The batch has expired: its content is gone or about to go. */
  isExpired: boolean
  /** Key of the stored reading of the run, null when there is none. */
  readingKey: string | null
}

/** Null when the document is not visible. */
export async function readContent(
  tx: Transaction,
  workspaceId: string,
  documentId: string,
  run?: number,
): Promise<ContentRow | null> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select d.path, d.sha256, d.bytes, b.status = 'expired' as "isExpired", s.blob_key as "readingKey"
    from documents d
    join batches b on b.workspace_id = d.workspace_id and b.id = d.batch_id and b.deleted_at is null
    join jobs j on j.workspace_id = d.workspace_id and j.document_id = d.id and j.kind = 'document' and j.run_number = ${run ?? sql`b.run_number`}
    left join results s on s.workspace_id = j.workspace_id and s.run_number = j.run_number and s.document_id = j.document_id
      and s.stage = 'parse' and s.generation = j.generation
    where d.workspace_id = ${workspaceId} and d.id = ${documentId}`)
  return (rows[0] as ContentRow | undefined) ?? null
}

/** Which of the blob keys the workspace has. */
export async function knownBlobs(tx: Transaction, workspaceId: string, keys: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.execute<{ key: string }>(sql`
    select key from blobs where workspace_id = ${workspaceId} and key = any(${sql.param(keys)}::text[])`)
  return new Set(rows.map((row) => row.key))
}
