/** CSV and TSV → tables of at most 1,000 rows, one a page. */

import { parse } from 'csv-parse/sync'
import type { ReadingIssue } from '../../core/index.ts'
import { type FoundBlock, PAGE_BREAK } from '../block-writer.ts'
import { makeTableBlock, plainCell, TABLE_CELLS, TABLE_ROWS } from '../table-block.ts'
import { type TextFormat, textReader } from './read-text-document.ts'

export const readDelimited = textReader(parseDelimited)

const DELIMITERS = [',', ';', '\t', '|'] as const
const SAMPLE_UNITS = 16_384
/** The parser sees pieces of this size, cut at the end of a record. */
const PIECE_UNITS = 65_536
/** A record longer than this is no record: a quote was never closed, and is taken as an ordinary character. */
const RECORD_UNITS = 1_048_576

function parseDelimited(text: string, mediaType: string): TextFormat {
  const delimiter = mediaType.startsWith('text/tab-separated-values')
    ? '\t'
    : detectDelimiter(text.slice(0, SAMPLE_UNITS))
  const facts: TextFormat['facts'] & { issues: ReadingIssue[] } = {
    title: null,
    metadata: { delimiter: nameOf(delimiter) },
    issues: [],
  }
  return { blocks: findTables(text, delimiter, facts.issues), facts }
}

function nameOf(delimiter: string): string {
  return { ',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'pipe' }[delimiter] ?? delimiter
}

/** The delimiter whose count per line is above zero and varies least over the first lines. */
export function detectDelimiter(sample: string): string {
  const lines = sample
    .replace(/"[^"]*"/g, '')
    .split(/\r\n?|\n/)
    .filter((line) => line.trim() !== '')
    .slice(0, 50)
  let best = ','
  let bestScore = 0
  for (const delimiter of DELIMITERS) {
    const counts = lines.map((line) => line.split(delimiter).length - 1)
    const usual = mostFrequent(counts.filter((count) => count > 0))
    const score = counts.filter((count) => count === usual && count > 0).length / Math.max(1, lines.length)
    if (score > bestScore) {
      best = delimiter
      bestScore = score
    }
  }
  return best
}

function mostFrequent(counts: readonly number[]): number {
  const seen = new Map<number, number>()
  for (const count of counts) seen.set(count, (seen.get(count) ?? 0) + 1)
  return [...seen].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0
}

function* findTables(
  text: string,
  delimiter: string,
  issues: ReadingIssue[],
): Generator<FoundBlock | typeof PAGE_BREAK> {
  let rows: string[][] = []
  let cells = 0
  let isFirst = true
  const takeTable = () => {
    const block = makeTableBlock(
      rows.map((row) => row.map(plainCell)),
      isFirst ? headerRows(rows) : 0,
    )
    rows = []
    cells = 0
    isFirst = false
    return block
  }
  for (const record of eachRecord(text, delimiter, issues)) {
    rows.push(record)
    cells += record.length
    if (rows.length < TABLE_ROWS && cells < TABLE_CELLS) continue
    yield takeTable()
    yield PAGE_BREAK
  }
  if (rows.length > 0) yield takeTable()
}

/** 1 when the first row looks like names: all filled, all different, none a number, and other rows follow. */
function headerRows(rows: readonly string[][]): number {
  const [first, second] = rows
  if (!first || !second) return 0
  const names = first.map((name) => name.trim())
  const isNames = names.every((name) => name !== '' && !/^[-+]?[\d.,\s%€$£]+$/.test(name.slice(0, 100)))
  return isNames && new Set(names).size === names.length ? 1 : 0
}

function* eachRecord(text: string, delimiter: string, issues: ReadingIssue[]): Generator<string[]> {
  for (let start = 0; start < text.length;) {
    const closed = endOfRecords(text, start)
    const end = closed < 0 ? endOfLine(text, start + PIECE_UNITS) : closed
    const piece = text.slice(start, end)
    const records = (closed < 0 ? null : parsePiece(piece, delimiter, true)) ?? parsePiece(piece, delimiter, false)
    if (closed < 0 && issues.length === 0) {
      issues.push({ code: 'table_repaired', message: 'A quote is never closed; it was read as an ordinary character.' })
    }
    yield* records ?? []
    start = end
  }
}

/** Offset after the last complete record of a piece, or -1 when a quoted cell never ends. */
function endOfRecords(text: string, start: number): number {
  let isQuoted = false
  const last = Math.min(text.length, start + RECORD_UNITS)
  for (let index = start; index < last; index++) {
    const unit = text.charCodeAt(index)
    if (unit === 0x22) isQuoted = !isQuoted
    else if (unit === 0x0a && !isQuoted && index - start >= PIECE_UNITS) return index + 1
  }
  if (last === text.length && !isQuoted) return last
  return isQuoted ? -1 : last
}

function endOfLine(text: string, from: number): number {
  if (from >= text.length) return text.length
  const end = text.indexOf('\n', from)
  return end < 0 || end > from + RECORD_UNITS ? Math.min(text.length, from + RECORD_UNITS) : end + 1
}

/** Null when the quotes of the piece cannot be understood. */
function parsePiece(piece: string, delimiter: string, hasQuotes: boolean): string[][] | null {
  try {
    return parse(piece, {
      delimiter,
      quote: hasQuotes ? '"' : null,
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      record_delimiter: ['\r\n', '\n', '\r'],
      max_record_size: RECORD_UNITS * 4,
    }) as string[][]
  } catch {
    return null
  }
}
