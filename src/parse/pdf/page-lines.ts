/** Characters of a PDF page → words and lines, in the order of PDFium (which also puts right-to-left text in order). */

import type { Box, Word } from '../../core/index.ts'
import type { PageCharacters } from './page-characters.ts'
import { type PageGeometry, uprightBox } from './page-geometry.ts'
import { LETTER, LINE_BREAK, LINE_END_HYPHEN, SPACE, classifyCode, LATIN_LIGATURES } from './character-classes.ts'

export interface PageLine {
  text: string
  box: Box
  words: Word[]
}

/** Words of a page while they are found: spans of UTF-16 units, boxes, and the index of each line's first word. */
interface WordSpans {
  units: Uint16Array
  length: number
  /** start, end pairs into `units` */
  spans: number[]
  boxes: Box[]
  lineStarts: number[]
}

/** Splits at the spaces and line breaks PDFium reports, and where a word stands above or below its line. */
export function buildLines(characters: PageCharacters, geometry: PageGeometry): PageLine[] {
  return makeLines(findWords(characters, geometry))
}

function findWords({ count, codes, boxes, turns }: PageCharacters, geometry: PageGeometry): WordSpans {
  // A character gives at most three units (a ligature) and one separator.
  const found: WordSpans = { units: new Uint16Array(count * 4), length: 0, spans: [], boxes: [], lineStarts: [0] }
  const pageTurns = geometry.rotation / 90
  let wordStart = 0
  let isSideways = false
  let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity]

  const endWord = (): void => {
    if (found.length > wordStart) {
      addWord(found, wordStart, uprightBox(geometry, { left, bottom, right, top }), isSideways)
      found.length++
    }
    wordStart = found.length
    left = bottom = Infinity
    right = top = -Infinity
  }

  for (let index = 0; index < count; index++) {
    const kind = classifyCode(codes, index, count)
    if (kind === SPACE) endWord()
    else if (kind === LINE_BREAK) {
      endWord()
      startLine(found)
    } else if (kind === LETTER || kind === LINE_END_HYPHEN) {
      found.length = writeUnits(found.units, found.length, kind === LETTER ? codes[index]! : 0x2d)
      isSideways = ((turns[index]! + pageTurns) & 1) === 1
      const at = index * 4
      if (boxes[at]! < left) left = boxes[at]!
      if (boxes[at + 1]! < bottom) bottom = boxes[at + 1]!
      if (boxes[at + 2]! > right) right = boxes[at + 2]!
      if (boxes[at + 3]! > top) top = boxes[at + 3]!
      if (kind === LINE_END_HYPHEN) {
        endWord()
        startLine(found)
      }
    }
  }
  endWord()
  return found
}

/** Writes one code point as UTF-16, a Latin ligature as its letters; surrogates in pairs were already joined or kept. */
function writeUnits(units: Uint16Array, length: number, code: number): number {
  if (code >= 0x10000) {
    units[length] = 0xd800 + ((code - 0x10000) >> 10)
    units[length + 1] = 0xdc00 + ((code - 0x10000) & 0x3ff)
    return length + 2
  }
  if (code >= 0xfb00 && code <= 0xfb06) {
    const letters = LATIN_LIGATURES[code - 0xfb00]!
    for (let index = 0; index < letters.length; index++) units[length + index] = letters.charCodeAt(index)
    return length + letters.length
  }
  units[length] = code
  return length + 1
}

function startLine({ lineStarts, boxes }: WordSpans): void {
  if (lineStarts.at(-1) !== boxes.length) lineStarts.push(boxes.length)
}

function addWord(found: WordSpans, start: number, box: Box, isSideways: boolean): void {
  const previous = found.boxes.at(-1)
  if (previous && !isSideways && found.lineStarts.at(-1)! < found.boxes.length && standsOffLine(previous, box))
    startLine(found)
  found.spans.push(start, found.length)
  found.boxes.push(box)
}

/** PDFium misses a line break now and then: then the word is wholly above or below the middle of the previous one, and the other way round. */
function standsOffLine(previous: Box, word: Box): boolean {
  const middle = (word[1] + word[3]) / 2
  const previousMiddle = (previous[1] + previous[3]) / 2
  return (middle < previous[1] || middle > previous[3]) && (previousMiddle < word[1] || previousMiddle > word[3])
}

function makeLines({ units, length, spans, boxes, lineStarts }: WordSpans): PageLine[] {
  for (let word = 0; word < boxes.length; word++) units[spans[word * 2 + 1]!] = 0x20
  const text = Buffer.from(units.buffer, 0, length * 2).toString('utf16le')
  const lines: PageLine[] = []
  for (let line = 0; line < lineStarts.length; line++) {
    const first = lineStarts[line]!
    const end = lineStarts[line + 1] ?? boxes.length
    if (end === first) continue
    const words: Word[] = []
    for (let word = first; word < end; word++) {
      words.push({ text: text.slice(spans[word * 2], spans[word * 2 + 1]), box: boxes[word]! })
    }
    lines.push({ text: text.slice(spans[first * 2], spans[end * 2 - 1]), box: unionBox(words), words })
  }
  return lines
}

/** The smallest box around all; there is at least one. */
export function unionBox(parts: readonly { box: Box }[]): Box {
  const [x0, y0, x1, y1] = parts[0]!.box
  const union: Box = [x0, y0, x1, y1]
  for (const { box } of parts) {
    if (box[0] < union[0]) union[0] = box[0]
    if (box[1] < union[1]) union[1] = box[1]
    if (box[2] > union[2]) union[2] = box[2]
    if (box[3] > union[3]) union[3] = box[3]
  }
  return union
}
