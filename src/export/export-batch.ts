import { Readable } from 'node:stream'
import type { Database, UserContext } from '../database/index.ts'
import { MANIFEST_COLUMNS, RESULT_COLUMNS, type Column } from './columns.ts'
import { csvHeader, csvLines, type CsvOptions } from './csv.ts'
import { readRows, type ExportRow, type ExportScope } from './read-rows.ts'

export const EXPORT_FORMATS = ['csv', 'jsonl'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportOptions extends ExportScope, CsvOptions {
  format: ExportFormat
}

/** The results of a run in canonical order. The same results give the same bytes, however often they are exported. */
export function exportBatch(database: Database, context: UserContext, options: ExportOptions): Readable {
  const rows = readRows(database, context, options)
  return options.format === 'csv' ? csvStream(RESULT_COLUMNS, rows, options) : jsonlStream(RESULT_COLUMNS, rows)
}

/** The manifest of a run as CSV: path, sha256, bytes, state and error code of every file and member received. */
export function manifestBatch(database: Database, context: UserContext, options: ExportScope & CsvOptions): Readable {
  return csvStream(MANIFEST_COLUMNS, readRows(database, context, options), options)
}

function csvStream(columns: readonly Column[], rows: AsyncIterable<ExportRow[]>, options: CsvOptions): Readable {
  return textStream(async function* () {
    yield csvHeader(columns, options)
    for await (const page of rows) yield csvLines(columns, page, options)
  })
}

function jsonlStream(columns: readonly Column[], rows: AsyncIterable<ExportRow[]>): Readable {
  return textStream(async function* () {
    for await (const page of rows) {
      yield page
        .map(
          (row) => `${JSON.stringify(Object.fromEntries(columns.map((column) => [column.key, column.value(row)])))}\n`,
        )
        .join('')
    }
  })
}

/** A stream of UTF-8 bytes that reads on only when its reader wants more. */
function textStream(pieces: () => AsyncIterable<string>): Readable {
  return Readable.from(
    (async function* () {
      for await (const piece of pieces()) yield Buffer.from(piece)
    })(),
    { objectMode: false },
  )
}
