/** Groups the lines of a page into paragraphs by simple vertical gaps, in the order of the lines. */

import type { Block, Box } from '../../core/index.ts'
import type { DocumentText } from '../document-text.ts'
import { type PageLine, unionBox } from './page-lines.ts'

/** Largest gap between two lines of a paragraph, in line heights; ordinary leading is 0.2. */
const PARAGRAPH_GAP = 0.55
/** Lines whose heights differ by more than this ratio are of different kinds (a heading and its text). */
const HEIGHT_RATIO = 1.25

function height(box: Box): number {
  return box[3] - box[1]
}

/** Whether a line goes on with the paragraph of the line before it. */
function continuesParagraph(previous: Box, line: Box): boolean {
  const [larger, smaller] = [Math.max(height(previous), height(line)), Math.min(height(previous), height(line))]
  const gap = line[1] - previous[3]
  const isBelow = line[1] > previous[1]
  const overlap = Math.min(previous[2], line[2]) - Math.max(previous[0], line[0])
  return isBelow && gap <= PARAGRAPH_GAP * smaller && gap >= -smaller && overlap > 0 && larger <= HEIGHT_RATIO * smaller
}

/** Makes the blocks of one page and adds their text to the document; stops where the text limit is reached. */
export function buildBlocks(pageNumber: number, lines: readonly PageLine[], text: DocumentText): Block[] {
  const blocks: Block[] = []
  for (let first = 0; first < lines.length;) {
    let end = first + 1
    while (end < lines.length && continuesParagraph(lines[end - 1]!.box, lines[end]!.box)) end++
    const block = makeParagraph(`p${pageNumber}b${blocks.length + 1}`, lines.slice(first, end), text.nextStart())
    if (!text.add(block.text)) break
    blocks.push(block)
    first = end
  }
  return blocks
}

function makeParagraph(id: string, lines: readonly PageLine[], start: number): Block {
  const text = lines.map((line) => line.text).join('\n')
  let lineStart = start
  const placed = lines.map((line) => {
    const end = lineStart + line.text.length
    const result = { text: line.text, box: line.box, start: lineStart, end, words: line.words }
    lineStart = end + 1
    return result
  })
  return { id, type: 'paragraph', text, box: unionBox(lines), start, end: start + text.length, lines: placed }
}
