import type { CellValue, Column } from './columns.ts'
import type { ExportRow } from './read-rows.ts'

/** The most characters (UTF-16 units) that Excel keeps in a cell; a longer one spills into the next rows. */
export const CELL_CHARACTERS = 32_767
const CUT_MARK = ' […]'

/**
 * Beginnings that make a spreadsheet run a cell as a formula, also in their full-width forms
 * (OWASP, "CSV Injection"; LF since 2025).
 */
const FORMULA_START = /^[=+\-@\t\r\n＝＋－＠]/
/** RFC 4180 asks for quotes around comma, quote and line ends; the others part cells in some locales' spreadsheets. */
const NEEDS_QUOTES = /[",;|\t\r\n]/

export interface CsvOptions {
  /** Text exactly as it is: neither guarded nor cut. For programs, not for spreadsheets. */
  raw?: boolean
  /** Begins with the byte order mark by which Excel knows UTF-8. */
  bom?: boolean
}

/** The header line. */
export function csvHeader(columns: readonly Column[], options: CsvOptions = {}): string {
  return (options.bom ? '\uFEFF' : '') + csvRecord(columns.map((column) => column.name))
}

/** The lines of some rows (RFC 4180: CRLF ends each line). */
export function csvLines(columns: readonly Column[], rows: readonly ExportRow[], options: CsvOptions = {}): string {
  return rows
    .map((row) => csvRecord(columns.map((column) => csvCell(column.type, column.value(row), options))))
    .join('')
}

/** The content of a cell, before quoting. Numbers stay numbers, so -5.2 is not touched; null is an empty cell. */
export function csvCell(type: Column['type'], value: CellValue, options: CsvOptions = {}): string {
  if (value === null) return ''
  if (type !== 'text' || options.raw) return String(value)
  const text = String(value)
  return cutCell(FORMULA_START.test(text) ? `'${text}` : text)
}

/** Never between the two halves of a character. */
function cutCell(text: string): string {
  if (text.length <= CELL_CHARACTERS) return text
  const end = CELL_CHARACTERS - CUT_MARK.length
  const isLowHalf = (text.charCodeAt(end) & 0xfc00) === 0xdc00
  return text.slice(0, isLowHalf ? end - 1 : end) + CUT_MARK
}

function csvRecord(cells: readonly string[]): string {
  return `${cells.map((cell) => (NEEDS_QUOTES.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\r\n`
}
