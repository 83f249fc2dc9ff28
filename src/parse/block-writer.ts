/** Formats without a page geometry: blocks → pages of bounded size, given to the sink one by one. */

import type { Block, BlockType, Box, Page, Table } from '../core/index.ts'
import type { DocumentText } from './document-text.ts'
import type { ReadingSink } from './document-reader.ts'

/** A block as a format finds it, without its place in the document. */
export interface FoundBlock {
  type: BlockType
  level?: number
  text: string
  table?: Table
}

/** Ends the page: a form feed, a full window of table rows. */
export const PAGE_BREAK = Symbol('page break')

/** Bounds of a page of a format that has none; about 50 printed pages. */
const PAGE_BLOCKS = 1_000
const PAGE_UNITS = 200_000
/** Longest text of one block; longer paragraphs are cut at a space. Tables are bounded by their reader. */
const BLOCK_UNITS = 8_000

/** Box of what has no place on a page. */
export function noBox(): Box {
  return [0, 0, 0, 0]
}

/** Writes all blocks; returns the number of pages. There is always one page. */
export async function writeBlocks(
  blocks: Iterable<FoundBlock | typeof PAGE_BREAK>,
  text: DocumentText,
  sink: ReadingSink,
): Promise<number> {
  let page = emptyTextPage(1)
  let units = 0
  const endPage = async () => {
    await sink.page(page)
    sink.progress?.(page.number, null)
    page = emptyTextPage(page.number + 1)
    units = 0
  }
  sink.progress?.(0, null)
  for (const found of blocks) {
    if (found === PAGE_BREAK) {
      if (page.blocks.length > 0) await endPage()
      continue
    }
    for (const piece of cutLongBlock(found)) {
      if (page.blocks.length >= PAGE_BLOCKS || (units > 0 && units + piece.text.length > PAGE_UNITS)) await endPage()
      const block = placeBlock(piece, page, text)
      if (!text.add(piece.text)) break
      page.blocks.push(block)
      units += piece.text.length
    }
    if (text.isFull()) break
  }
  if (page.blocks.length > 0 || page.number === 1) await endPage()
  return page.number - 1
}

function emptyTextPage(number: number): Page {
  return { number, width: 0, height: 0, unit: 'pt', rotation: 0, source: 'text', blocks: [] }
}

function placeBlock(found: FoundBlock, page: Page, text: DocumentText): Block {
  const start = text.nextStart()
  const id = `p${page.number}b${page.blocks.length + 1}`
  return { id, ...found, box: noBox(), start, end: start + found.text.length }
}

function* cutLongBlock(block: FoundBlock): Generator<FoundBlock> {
  if (block.table || block.text.length <= BLOCK_UNITS) {
    if (block.text !== '') yield block
    return
  }
  for (const text of cutText(block.text, BLOCK_UNITS)) yield { ...block, text }
}

/** Pieces of at most `limit` units, cut at white space if the last quarter of a piece has any, never inside a surrogate pair. */
export function* cutText(text: string, limit: number): Generator<string> {
  for (let start = 0; start < text.length;) {
    let end = Math.min(start + limit, text.length)
    if (end < text.length) {
      const space = lastSpace(text, start + Math.floor(limit * 0.75), end)
      if (space > 0) end = space
      else if ((text.charCodeAt(end) & 0xfc00) === 0xdc00) end--
    }
    const piece = text.slice(start, end).trim()
    if (piece !== '') yield piece
    start = end
  }
}

function lastSpace(text: string, from: number, to: number): number {
  for (let index = to; index > from; index--) {
    const unit = text.charCodeAt(index)
    if (unit === 0x20 || unit === 0x0a || unit === 0x09) return index
  }
  return -1
}
