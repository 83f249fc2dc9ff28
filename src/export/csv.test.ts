import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MANIFEST_COLUMNS, RESULT_COLUMNS } from './columns.ts'
import { CELL_CHARACTERS, csvCell, csvHeader, csvLines } from './csv.ts'
import type { ExportRow } from './read-rows.ts'

function rowOf(path: string, change: Partial<ExportRow> = {}): ExportRow {
  return {
    position: [1],
    path,
    sha256: 'ab',
    bytes: 12,
    mediaType: 'text/plain',
    language: 'en',
    state: 'succeeded',
    error: null,
    pages: 1,
    words: 3,
    ...change,
  }
}

const unit = fc.string({ unit: 'grapheme', maxLength: 40 })
const hostile = fc
  .tuple(fc.constantFrom('', '=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠', '"', ';=', ',='), unit)
  .map((parts) => parts.join(''))

describe('text cells', () => {
  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', '＝1', '＋1', '－1', '＠x', '-'])(
    '%j is guarded',
    (text) => {
      expect(csvCell('text', text)).toBe(`'${text}`)
    },
  )

  test.each(['a=1', ' =1', '007', "'=1", '2024-01-01', ''])('%j stays as it is', (text) => {
    expect(csvCell('text', text)).toBe(text)
  })

  test('numbers stay numbers', () => {
    expect([csvCell('integer', -5.2), csvCell('integer', 0), csvCell('integer', null)]).toEqual(['-5.2', '0', ''])
  })

  test('raw text is neither guarded nor cut', () => {
    const long = `=${'x'.repeat(CELL_CHARACTERS)}`
    expect(csvCell('text', long, { raw: true })).toBe(long)
  })

  test('a long cell is cut with a mark, between characters, also when it is guarded', () => {
    for (const text of [
      'x'.repeat(40_000),
      '😀'.repeat(20_000),
      `a${'😀'.repeat(20_000)}`,
      `=${'😀'.repeat(20_000)}`,
    ]) {
      const cell = csvCell('text', text)
      expect(cell.length).toBeLessThanOrEqual(CELL_CHARACTERS)
      expect(cell.length).toBeGreaterThan(CELL_CHARACTERS - 2)
      expect(cell).toMatch(/ \[…\]$/)
      expect(cell.isWellFormed()).toBe(true)
    }
    expect(csvCell('text', 'x'.repeat(CELL_CHARACTERS))).toBe('x'.repeat(CELL_CHARACTERS))
  })
})

describe('lines', () => {
  test('the header comes from the columns, in this order', () => {
    expect(csvHeader(RESULT_COLUMNS)).toBe(
      'path,sha256,bytes,media_type,language,state,pages,words,error_code,error_category,error_message\r\n',
    )
    expect(csvHeader(MANIFEST_COLUMNS, { bom: true })).toBe('\uFEFFpath,sha256,bytes,state,error_code\r\n')
  })

  test('nothing but null is an empty cell', () => {
    expect(csvLines(MANIFEST_COLUMNS, [rowOf('a', { sha256: null, bytes: 0 })])).toBe('a,,0,succeeded,\r\n')
  })

  test('another reader of CSV gets back what was written', () => {
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 1, maxLength: 5 }), (paths) => {
        const text =
          csvHeader(MANIFEST_COLUMNS) +
          csvLines(
            MANIFEST_COLUMNS,
            paths.map((path) => rowOf(path)),
          )
        const read = parse(text, { columns: true }) as Record<string, string>[]
        expect(read.map((row) => row['path'])).toEqual(paths.map((path) => csvCell('text', path)))
        expect(read.every((row) => row['bytes'] === '12' && row['state'] === 'succeeded')).toBe(true)
      }),
    )
  })

  test('no cell of the file begins like a formula, whichever separator a spreadsheet assumes', () => {
    fc.assert(
      fc.property(hostile, (path) => {
        const cells = parse(csvLines(MANIFEST_COLUMNS, [rowOf(path)]))[0] as string[]
        expect(cells[0]).not.toMatch(/^[=+\-@\t\r\n＝＋－＠]/)
        const isQuoted = csvLines(MANIFEST_COLUMNS, [rowOf(path)]).startsWith('"')
        expect(isQuoted || !/[;|\t]/.test(path)).toBe(true)
      }),
    )
  })
})
