import { sql, type SQL } from '../drizzle.ts'
import type { DocumentError } from '../../core/index.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'

/** A file of results that was asked for. */
export interface ExportRow {
  id: string
  batchId: string
  batchName: string
  run: number
  format: string
  state: 'queued' | 'running' | 'completed' | 'failed'
  sha256: string | null
  bytes: number | null
  error: DocumentError | null
  createdAt: string
  completedAt: string | null
  blobKey: string | null
}

export interface NewExport {
  workspaceId: string
  id: string
  batchId: string
  run: number
  format: string
  createdBy: string | null
}

export async function insertExport(tx: Transaction, row: NewExport): Promise<void> {
  await tx.execute(sql`
    insert into exports (workspace_id, id, batch_id, run_number, format, created_by)
    values (${row.workspaceId}, ${row.id}, ${row.batchId}, ${row.run}, ${row.format}, ${row.createdBy})`)
}

export async function readExport(tx: Transaction, workspaceId: string, exportId: string): Promise<ExportRow | null> {
  const rows = await selectExports(tx, sql`e.workspace_id = ${workspaceId} and e.id = ${exportId}`, 1)
  return rows[0] ?? null
}

/** Exports of a batch, the newest first. Their ids rise with the time, so an id is a place in the list. */
export function listExports(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  page: { before?: string | undefined; limit: number },
): Promise<ExportRow[]> {
  const before = page.before === undefined ? sql`true` : sql`e.id < ${page.before}::uuid`
  return selectExports(tx, sql`e.workspace_id = ${workspaceId} and e.batch_id = ${batchId} and ${before}`, page.limit)
}

async function selectExports(tx: Transaction, condition: SQL, limit: number): Promise<ExportRow[]> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select e.id, e.batch_id, b.name, e.run_number, e.format, e.state, e.sha256, e.bytes, e.error, e.created_at, e.completed_at, e.blob_key
    from exports e join batches b on b.workspace_id = e.workspace_id and b.id = e.batch_id and b.deleted_at is null
    where ${condition} order by e.id desc limit ${limit}`)
  return rows.map((row) => ({
    id: row['id'] as string,
    batchId: row['batch_id'] as string,
    batchName: row['name'] as string,
    run: row['run_number'] as number,
    format: row['format'] as string,
    state: row['state'] as ExportRow['state'],
    sha256: row['sha256'] as string | null,
    bytes: row['bytes'] as number | null,
    error: row['error'] as DocumentError | null,
    createdAt: isoTime(row['created_at'])!,
    completedAt: isoTime(row['completed_at']),
    blobKey: row['blob_key'] as string | null,
  }))
}
