/** Collects the rows of an HTML table; a table inside a cell becomes text of that cell. */

import type { FoundBlock } from '../block-writer.ts'
import { type FoundCell, makeTableBlock, TABLE_CELLS, TABLE_ROWS } from '../table-block.ts'

export interface HtmlTable {
  /** Tables open inside a cell. */
  depth: number
  /** Begins a row; gives a block back when the rows so far fill one. */
  openRow(): FoundBlock | null
  openCell(isHeader: boolean, attributes: Record<string, string>): void
  /** False when no cell is open. */
  closeCell(text: string): boolean
  /** Null for a table without text. */
  finish(): FoundBlock | null
}

export function createHtmlTable(): HtmlTable {
  let rows: FoundCell[][] = []
  let cells = 0
  /** Rows at the top that hold header cells only. */
  let header = 0
  let isHeaderRow = true
  let open: FoundCell | null = null

  function endRow(): void {
    if (rows.length > 0 && rows.length === header + 1 && isHeaderRow && rows.at(-1)!.length > 0) header++
    isHeaderRow = true
  }

  function take(): FoundBlock | null {
    endRow()
    const filled = rows.filter((row) => row.length > 0)
    const hasText = filled.some((row) => row.some((cell) => cell.text !== ''))
    const block = hasText ? makeTableBlock(filled, header) : null
    rows = []
    cells = header = 0
    return block
  }

  return {
    depth: 0,
    openRow() {
      if (this.depth > 0) return null
      endRow()
      const full = rows.length >= TABLE_ROWS || cells >= TABLE_CELLS ? take() : null
      rows.push([])
      return full
    },
    openCell(isHeader, attributes) {
      if (this.depth > 0) return
      if (rows.length === 0) rows.push([])
      open = { text: '', rowSpan: span(attributes.rowspan), columnSpan: span(attributes.colspan) }
      rows.at(-1)!.push(open)
      cells++
      if (!isHeader) isHeaderRow = false
    },
    closeCell(text) {
      if (!open) return false
      if (text !== '') open.text = open.text === '' ? text : `${open.text} ${text}`
      if (this.depth === 0) open = null
      return true
    },
    finish: take,
  }
}

function span(value: string | undefined): number {
  const parsed = Number.parseInt(value ?? '1', 10)
  return Number.isFinite(parsed) ? Math.max(1, parsed) : 1
}
