/** A Reading as Markdown or as plain text for people. */

import { type Block, FURNITURE_TYPES, type Reading, type Table, type TableCell } from '../core/index.ts'

export interface RenderOptions {
  /** Running headers, footers and page numbers: left in place or left out. */
  furniture: 'keep' | 'drop'
}

function* shownBlocks(reading: Reading, { furniture }: RenderOptions): Generator<Block> {
  for (const page of reading.pages) {
    for (const block of page.blocks) if (furniture === 'keep' || !FURNITURE_TYPES.includes(block.type)) yield block
  }
}

/** The text of the blocks in reading order, with blank lines between them. */
export function renderText(reading: Reading, options: RenderOptions): string {
  const blocks = [...shownBlocks(reading, options)].map((block) => block.text)
  return blocks.length === 0 ? '' : `${blocks.join('\n\n')}\n`
}

/** Headings by level, lists, pipe tables; tables with spanning cells as HTML. */
export function renderMarkdown(reading: Reading, options: RenderOptions): string {
  let markdown = ''
  let previous: Block | undefined
  for (const block of shownBlocks(reading, options)) {
    const rendered = renderBlock(block)
    if (rendered === '') continue
    if (previous) markdown += previous.type === 'list_item' && block.type === 'list_item' ? '\n' : '\n\n'
    markdown += rendered
    previous = block
  }
  return markdown === '' ? '' : `${markdown}\n`
}

function renderBlock(block: Block): string {
  if (block.table) return renderTable(block.table)
  const text = block.lines ? joinBrokenWords(block.text) : block.text
  switch (block.type) {
    case 'title':
      return `# ${oneLine(text)}`
    case 'heading':
      return `${'#'.repeat(Math.min(6, Math.max(1, block.level ?? 1)))} ${oneLine(text)}`
    case 'list_item':
      return renderListItem(text)
    case 'code':
      return renderCode(text)
    default:
      return text
  }
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ')
}

/** A word cut by a hyphen at the end of a line becomes whole again when it goes on in lower case. */
function joinBrokenWords(text: string): string {
  return text.replace(/(\p{Ll})-\n(\p{Ll}[^\s]{0,60})(?: |(?=\n|$))/gu, '$1$2\n').trimEnd()
}

function renderListItem(text: string): string {
  const isNumbered = /^\d{1,9}[.)]\s/.test(text)
  const content = text.replace(/^[•‣◦▪●○–*-]\s+/u, '').replaceAll('\n', '\n  ')
  return isNumbered ? content : `- ${content}`
}

function renderCode(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`{3,100}/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}\n${text}\n${fence}`
}

function renderTable(table: Table): string {
  const hasSpans = table.cells.some((cell) => cell.rowSpan > 1 || cell.columnSpan > 1)
  return hasSpans ? renderHtmlTable(table) : renderPipeTable(table)
}

function cellRows(table: Table): TableCell[][] {
  const rows: TableCell[][] = Array.from({ length: table.rows }, () => [])
  for (const cell of table.cells) rows[cell.row]?.push(cell)
  return rows
}

/** A pipe table always has one header row: an empty one where the table has none. */
function renderPipeTable(table: Table): string {
  const rows = cellRows(table).map((cells) => {
    const texts = Array.from({ length: table.columns }, () => '')
    for (const cell of cells) texts[cell.column] = oneLine(cell.text).replaceAll('|', '\\|')
    return `| ${texts.join(' | ')} |`
  })
  const header = table.header > 0 ? rows.shift()! : `|${'  |'.repeat(table.columns)}`
  return [header, `|${' --- |'.repeat(table.columns)}`, ...rows].join('\n')
}

function renderHtmlTable(table: Table): string {
  const rows = cellRows(table).map((cells, row) => {
    const tag = row < table.header ? 'th' : 'td'
    const content = cells.map(({ text, rowSpan, columnSpan }) => {
      const spans = (rowSpan > 1 ? ` rowspan="${rowSpan}"` : '') + (columnSpan > 1 ? ` colspan="${columnSpan}"` : '')
      return `<${tag}${spans}>${escapeHtml(text)}</${tag}>`
    })
    return `<tr>${content.join('')}</tr>`
  })
  return ['<table>', ...rows, '</table>'].join('\n')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
