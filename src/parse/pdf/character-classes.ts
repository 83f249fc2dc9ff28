/** What a code point of PDFium means for words and lines. */

export const LETTER = 0
export const SPACE = 1
export const LINE_BREAK = 2
/** A hyphen that ends a line inside a word. */
export const LINE_END_HYPHEN = 3
/** Left out of the text. */
export const NOTHING = 4

/** U+FB00 to U+FB06; PDFium takes most apart itself. */
export const LATIN_LIGATURES = ['ff', 'fi', 'fl', 'ffi', 'ffl', 'st', 'st'] as const

/** PDFium's mark for the hyphen of a word that goes on in the next line (it writes no line break there). */
const PDFIUM_HYPHEN = 0x02
const SOFT_HYPHEN = 0xad

/** [first, last, class] of code points of the first plane; later lines win, everything else is a letter. */
const RANGES: readonly (readonly [number, number, number])[] = [
  [0x00, 0x1f, NOTHING],
  [0x09, 0x09, SPACE],
  [0x0a, 0x0a, LINE_BREAK],
  [0x0d, 0x0d, LINE_BREAK],
  [0x20, 0x20, SPACE],
  [PDFIUM_HYPHEN, PDFIUM_HYPHEN, LINE_END_HYPHEN],
  [0x7f, 0x9f, NOTHING],
  [0xa0, 0xa0, SPACE],
  [0x2000, 0x200a, SPACE],
  [0x200b, 0x200b, NOTHING],
  [0x2028, 0x2029, LINE_BREAK],
  [0x202f, 0x202f, SPACE],
  [0x205f, 0x205f, SPACE],
  [0x3000, 0x3000, SPACE],
  [0xd800, 0xdfff, NOTHING],
  [0xfeff, 0xfeff, NOTHING],
  [0xfffe, 0xffff, NOTHING],
]

const CLASSES = new Uint8Array(0x10000).fill(LETTER)
for (const [first, last, kind] of RANGES) CLASSES.fill(kind, first, last + 1)

/**
 * Class of the character at `index`. Joins surrogate pairs in place: the first becomes the code point, the second 0.
 * NUL, lone surrogates, control and zero-width characters are nothing; a soft hyphen counts only where a line ends.
 */
export function classifyCode(codes: Uint32Array, index: number, count: number): number {
  const code = codes[index]!
  if (code >= 0xd800 && code <= 0xdbff) return joinSurrogates(codes, index, count)
  if (code === SOFT_HYPHEN) return endsLine(codes, index + 1, count) ? LINE_END_HYPHEN : NOTHING
  return CLASSES[code] ?? (code > 0x10ffff || (code & 0xfffe) === 0xfffe ? NOTHING : LETTER)
}

function endsLine(codes: Uint32Array, index: number, count: number): boolean {
  return index >= count || codes[index] === 0x0a || codes[index] === 0x0d
}

function joinSurrogates(codes: Uint32Array, index: number, count: number): number {
  const high = codes[index]!
  const low = index + 1 < count ? codes[index + 1]! : 0
  if (low < 0xdc00 || low > 0xdfff) return NOTHING
  codes[index] = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
  codes[index + 1] = 0
  return LETTER
}
