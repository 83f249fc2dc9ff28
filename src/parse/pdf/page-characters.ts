/** Reads all characters of a page with their boxes into typed arrays; nothing is allocated per character. */

import type { Pdfium } from './pdfium.ts'

/** Characters in the order of PDFium; the arrays are longer than `count` and used again for the next page. */
export interface PageCharacters {
  count: number
  /** Unicode code points as PDFium gives them; 0 where a glyph has none. */
  codes: Uint32Array
  /** left, bottom, right, top in user space, four numbers a character. */
  boxes: Float32Array
  /** Quarter turns counterclockwise of the writing direction in user space, 0 to 3. */
  turns: Uint8Array
}

/** Memory that is used again for every page of a document. */
export interface PageWorkspace {
  characters: PageCharacters
  /** 48 bytes of WASM memory for results, aligned to 8. */
  scratch: number
  /** Most characters read from one page; twice the text limit, as some are no text, so that the limit decides and cuts at a block. */
  characterLimit: number
}

const FIRST_CAPACITY = 8_192

export function createPageCharacters(): PageCharacters {
  return {
    count: 0,
    codes: new Uint32Array(FIRST_CAPACITY),
    boxes: new Float32Array(FIRST_CAPACITY * 4),
    turns: new Uint8Array(FIRST_CAPACITY),
  }
}

function reserve(characters: PageCharacters, count: number): void {
  if (count <= characters.codes.length) return
  const capacity = Math.max(count, characters.codes.length * 2)
  characters.codes = new Uint32Array(capacity)
  characters.boxes = new Float32Array(capacity * 4)
  characters.turns = new Uint8Array(capacity)
}

/**
 * Fills the characters of the workspace from an open text page. Calls cost 6–10 ns each: fewer, larger ones
 * (FPDFText_GetText, FPDFText_GetRect for each word) gain nothing.
 */
export function readCharacters(pdfium: Pdfium, textPage: number, workspace: PageWorkspace): void {
  const { calls } = pdfium
  const { characters, characterLimit } = workspace
  const count = Math.min(Math.max(0, calls.FPDFText_CountChars(textPage)), characterLimit)
  reserve(characters, count)
  characters.count = count
  const { codes, turns } = characters
  for (let index = 0; index < count; index++) {
    const code = calls.FPDFText_GetUnicode(textPage, index)
    codes[index] = code
    if (code <= 0x20 && code !== 0x02) continue
    turns[index] = Math.round(calls.FPDFText_GetCharAngle(textPage, index) / (Math.PI / 2)) & 3
    readBox(pdfium, textPage, index, workspace)
  }
}

/**
 * The em box, as it is even from letter to letter; the ink box where the font has no such box, or one that does not
 * touch the ink. The em box of PDFium is only right for text that is upright in user space.
 */
function readBox(
  { calls, memory }: Pdfium,
  textPage: number,
  index: number,
  { scratch, characters: { boxes } }: PageWorkspace,
): void {
  const at = index * 4
  const hasInk =
    calls.FPDFText_GetCharBox(textPage, index, scratch + 16, scratch + 24, scratch + 32, scratch + 40) !== 0
  const hasEm = calls.FPDFText_GetLooseCharBox(textPage, index, scratch) !== 0
  // The views are fetched after the calls, which may have made the memory grow.
  const em = memory.HEAPF32
  const ink = memory.HEAPF64
  const [f, d] = [scratch >> 2, (scratch + 16) >> 3]
  const left = ink[d]!
  const right = ink[d + 1]!
  const bottom = ink[d + 2]!
  const top = ink[d + 3]!
  const useEm =
    hasEm &&
    em[f]! < em[f + 2]! &&
    em[f + 3]! < em[f + 1]! &&
    (!hasInk || (em[f]! <= right && em[f + 2]! >= left && em[f + 3]! <= top && em[f + 1]! >= bottom))
  boxes[at] = useEm ? em[f]! : left
  boxes[at + 1] = useEm ? em[f + 3]! : bottom
  boxes[at + 2] = useEm ? em[f + 2]! : right
  boxes[at + 3] = useEm ? em[f + 1]! : top
}
