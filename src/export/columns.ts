import type { ExportRow } from './read-rows.ts'

export type CellValue = string | number | null

/**
 * One column of a table. Columns are known before the first row is read, so a header never depends on which document
 * comes first. No column holds an id, a time or a duration: repeating an export gives the same bytes.
 */
export interface Column {
  /** Header in CSV files. */
  name: string
  /** Key in JSON lines. */
  key: string
  /** Text is guarded against being read as a formula, numbers are written as they are. */
  type: 'text' | 'integer'
  value(row: ExportRow): CellValue
}

const path: Column = { name: 'path', key: 'path', type: 'text', value: (row) => row.path }
const sha256: Column = { name: 'sha256', key: 'sha256', type: 'text', value: (row) => row.sha256 }
const bytes: Column = { name: 'bytes', key: 'bytes', type: 'integer', value: (row) => row.bytes }
const state: Column = { name: 'state', key: 'state', type: 'text', value: (row) => row.state }
const errorCode: Column = {
  name: 'error_code',
  key: 'errorCode',
  type: 'text',
  value: (row) => row.error?.code ?? null,
}

/** What `results.*` hold of every document; `path` and `sha256` are its keys. */
export const RESULT_COLUMNS: readonly Column[] = [
  path,
  sha256,
  bytes,
  { name: 'media_type', key: 'mediaType', type: 'text', value: (row) => row.mediaType },
  { name: 'language', key: 'language', type: 'text', value: (row) => row.language },
  state,
  { name: 'pages', key: 'pages', type: 'integer', value: (row) => row.pages },
  { name: 'words', key: 'words', type: 'integer', value: (row) => row.words },
  errorCode,
  { name: 'error_category', key: 'errorCategory', type: 'text', value: (row) => row.error?.category ?? null },
  { name: 'error_message', key: 'errorMessage', type: 'text', value: (row) => row.error?.message ?? null },
]

/** The manifest: every byte received, and what became of it. */
export const MANIFEST_COLUMNS: readonly Column[] = [path, sha256, bytes, state, errorCode]
