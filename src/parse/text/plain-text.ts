/** Plain text: paragraphs between blank lines, pages between form feeds. */

import { type FoundBlock, PAGE_BREAK } from '../block-writer.ts'
import { type TextFormat, textReader } from './read-text-document.ts'

/** A paragraph is ended after so many lines or units even without a blank line (logs, listings). */
const MOST_LINES = 200
const MOST_UNITS = 8_000

export const readPlainText = textReader(parsePlainText)

function parsePlainText(text: string): TextFormat {
  return { blocks: findParagraphs(text), facts: { title: null, metadata: {} } }
}

function* findParagraphs(text: string): Generator<FoundBlock | typeof PAGE_BREAK> {
  let lines: string[] = []
  let units = 0
  for (const line of eachLine(text)) {
    const isFull = lines.length >= MOST_LINES || units + line.length > MOST_UNITS
    if (line === '' || line === '\f' || (isFull && lines.length > 0)) {
      if (lines.length > 0) yield { type: 'paragraph', text: lines.join('\n') }
      lines = []
      units = 0
    }
    if (line === '\f') yield PAGE_BREAK
    else if (line !== '') {
      lines.push(line)
      units += line.length + 1
    }
  }
  if (lines.length > 0) yield { type: 'paragraph', text: lines.join('\n') }
}

/** Lines without white space at their end; a form feed is a line of its own. */
export function* eachLine(text: string): Generator<string> {
  let start = 0
  for (let index = 0; index <= text.length; index++) {
    const unit = index < text.length ? text.charCodeAt(index) : 0x0a
    if (unit !== 0x0a && unit !== 0x0d && unit !== 0x0c) continue
    yield text.slice(start, index).trimEnd()
    if (unit === 0x0c) yield '\f'
    if (unit === 0x0d && text.charCodeAt(index + 1) === 0x0a) index++
    start = index + 1
  }
}
