import type { DocumentError, DocumentState } from '../core/index.ts'
import { type Database, sql, type UserContext } from '../database/index.ts'

/** The run that is exported. */
export interface ExportScope {
  batchId: string
  runNumber: number
}

/** One document of the run, with everything that an export shows of it. */
export interface ExportRow {
  position: number[]
  path: string
  /** Null for a file that was refused before its bytes were kept. */
  sha256: string | null
  bytes: number
  mediaType: string | null
  language: string | null
  state: DocumentState
  error: DocumentError | null
  pages: number | null
  words: number | null
}

/** Rows read in one transaction; none is held longer, however large the batch is. */
const ROWS = 500

/** The documents of a run in canonical order (by position), page by page. */
export async function* readRows(
  database: Database,
  context: UserContext,
  scope: ExportScope,
): AsyncGenerator<ExportRow[]> {
  let last: number[] = []
  for (;;) {
    const rows = await readPage(database, context, scope, last)
    if (rows.length > 0) yield rows
    if (rows.length < ROWS) return
    last = rows.at(-1)!.position
  }
}

function readPage(
  database: Database,
  { workspaceId, userId }: UserContext,
  scope: ExportScope,
  last: number[],
): Promise<ExportRow[]> {
  return database.asUser({ workspaceId, userId }, async (tx) => {
    const { rows } = await tx.execute<Record<string, unknown>>(sql`
      select d.position, d.path, d.sha256, d.bytes, d.media_type as "mediaType", j.language, j.state, j.error, j.pages, j.words
      from documents d
      join jobs j on j.workspace_id = d.workspace_id and j.document_id = d.id and j.run_number = ${scope.runNumber} and j.kind = 'document'
      where d.workspace_id = ${workspaceId} and d.batch_id = ${scope.batchId} and d.position > ${sql.param(last)}::integer[]
      order by d.position limit ${ROWS}`)
    return rows as unknown as ExportRow[]
  })
}
