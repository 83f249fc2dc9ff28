/** Rows of cells → a table block. */

import type { TableCell } from '../core/index.ts'
import { type FoundBlock, noBox } from './block-writer.ts'
import { collapseSpace } from './clean-text.ts'

/** A cell as it stands in its row, before it has a column. */
export interface FoundCell {
  text: string
  rowSpan: number
  columnSpan: number
}

/** Bounds of one table block; readers begin another block beyond them. */
export const TABLE_ROWS = 1_000
export const TABLE_CELLS = 20_000
const MOST_COLUMNS = 1_000

/** Places cells beside those that span from rows above. Text: rows by line feed, cells by tab, one line and no tab in a cell. */
export function makeTableBlock(rows: readonly (readonly FoundCell[])[], header: number): FoundBlock {
  const cells: TableCell[] = []
  const lines: string[] = []
  /** For each column the first row in which it is free again. */
  const freeFrom: number[] = []
  for (let row = 0; row < rows.length; row++) {
    const texts: string[] = []
    let column = 0
    for (const found of rows[row]!) {
      while ((freeFrom[column] ?? 0) > row) column++
      if (column >= MOST_COLUMNS) break
      const columnSpan = clampSpan(found.columnSpan, MOST_COLUMNS - column)
      const rowSpan = clampSpan(found.rowSpan, rows.length - row)
      const text = collapseSpace(found.text)
      cells.push({ row, column, rowSpan, columnSpan, text, box: noBox() })
      while (texts.length < column) texts.push('')
      texts.push(text)
      for (let covered = column; covered < column + columnSpan; covered++) freeFrom[covered] = row + rowSpan
      column += columnSpan
    }
    lines.push(texts.join('\t'))
  }
  const table = { rows: rows.length, columns: freeFrom.length, header: Math.min(header, rows.length), cells }
  return { type: 'table', text: lines.join('\n'), table }
}

function clampSpan(span: number, most: number): number {
  return Number.isInteger(span) && span > 1 ? Math.min(span, most) : 1
}

export function plainCell(text: string): FoundCell {
  return { text, rowSpan: 1, columnSpan: 1 }
}
