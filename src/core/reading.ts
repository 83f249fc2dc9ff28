/** What reading yields: the JSON shape `sheaf.document/1`. The shape is fixed; more may be added beside it. */

/** [x0, y0, x1, y1], origin top left of the upright page, in the unit of the page. */
export type Box = [number, number, number, number]

export const BLOCK_TYPES = [
  'title',
  'heading',
  'paragraph',
  'list_item',
  'table',
  'caption',
  'figure',
  'code',
  'formula',
  'header',
  'footer',
  'page_number',
  'footnote',
  'key_value',
] as const
export type BlockType = (typeof BLOCK_TYPES)[number]

/** Block types that repeat around the content and are left out by `--furniture drop`. */
export const FURNITURE_TYPES: readonly BlockType[] = ['header', 'footer', 'page_number']

export interface Word {
  text: string
  box: Box
}

/** `start` and `end` are offsets (UTF-16 code units) into the text of the whole document. */
export interface Line {
  text: string
  box: Box
  start: number
  end: number
  words?: Word[]
}

export interface TableCell {
  row: number
  column: number
  rowSpan: number
  columnSpan: number
  text: string
  box: Box
}
/** `header` is the number of header rows. */
export interface Table {
  rows: number
  columns: number
  header: number
  cells: TableCell[]
}

export interface Block {
  id: string
  type: BlockType
  /** Heading level, 1 is the highest. */
  level?: number
  text: string
  box: Box
  start: number
  end: number
  confidence?: number
  lines?: Line[]
  table?: Table
}

export interface Page {
  /** From 1; a page that could not be read keeps its number. */
  number: number
  width: number
  height: number
  unit: 'pt' | 'px'
  rotation: number
  source: 'text' | 'ocr' | 'mixed'
  confidence?: number
  blocks: Block[]
}

/** Something wrong with a document that still succeeds. */
export interface ReadingIssue {
  code: string
  page?: number
  message: string
}

export interface Reading {
  schema: 'sheaf.document/1'
  path: string
  mediaType: string
  sha256: string
  language: string | null
  title: string | null
  metadata: Record<string, string>
  pages: Page[]
  /** The reading-order text of the whole document. */
  text: string
  issues: ReadingIssue[]
}
