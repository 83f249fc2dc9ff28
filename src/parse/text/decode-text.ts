/** Bytes of a text file → text. The encoding is told by a byte order mark, by valid UTF-8, by the file, or by statistics. */

import { guessEncoding } from './guess-encoding.ts'

export interface DecodedText {
  text: string
  /** Label of the WHATWG Encoding Standard. */
  encoding: string
  /** True when statistics decided, or when bytes had no meaning in the encoding. */
  isGuessed: boolean
}

const SAMPLE_BYTES = 65_536

/** Null when the bytes are no text. `declared` is an encoding the file names itself (HTML meta); it is used if it fits. */
export function decodeText(bytes: Uint8Array, declared?: string | null): DecodedText | null {
  const marked = byteOrderMark(bytes)
  if (marked) return decodeAs(bytes, marked, false)
  const sample = bytes.subarray(0, SAMPLE_BYTES)
  const wide = wideEncoding(sample)
  if (wide) return decodeAs(bytes, wide, true)
  if (isBinary(sample)) return null
  const utf8 = tryDecode(bytes, 'utf-8')
  if (utf8 !== null) return { text: utf8, encoding: 'utf-8', isGuessed: false }
  if (declared && tryDecode(bytes, declared) !== null) return decodeAs(bytes, declared, false)
  if (isNearlyUtf8(sample)) return decodeAs(bytes, 'utf-8', true)
  const guessed = guessEncoding(nonAsciiSample(bytes))
  return guessed === null ? null : decodeAs(bytes, guessed, true)
}

function byteOrderMark(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return null
}

function decodeAs(bytes: Uint8Array, encoding: string, isGuessed: boolean): DecodedText {
  const text = new TextDecoder(encoding).decode(bytes)
  return { text, encoding, isGuessed: isGuessed || text.includes('\ufffd') }
}

/** The text, or null when the bytes are not valid in the encoding or nobody knows it. */
function tryDecode(bytes: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

/** UTF-16 without a mark: in most scripts one byte of each pair is nearly always the same small number, 0 for Latin. */
function wideEncoding(sample: Uint8Array): string | null {
  if (sample.length < 4) return null
  const zeros = [0, 0]
  for (let index = 0; index < sample.length; index++) if (sample[index] === 0) zeros[index & 1]!++
  const half = sample.length / 2
  const [even, odd] = [zeros[0]! / half, zeros[1]! / half]
  if (odd > 0.3 && even < 0.02) return 'utf-16le'
  if (even > 0.3 && odd < 0.02) return 'utf-16be'
  return null
}

/** First bytes of formats that hold long stretches of text or look like it. */
const SIGNATURES = [
  '%PDF-',
  'PK\x03\x04',
  '\x89PNG',
  'GIF8',
  '\xff\xd8\xff',
  '\x1f\x8b',
  '\x7fELF',
  'MZ\x90',
  '\xd0\xcf\x11\xe0',
  'II*\0',
  'MM\0*',
  '7z\xbc\xaf',
]

/** Control characters no text holds, counted on a sample; one stray NUL in a long text does not matter. */
function isBinary(sample: Uint8Array): boolean {
  const head = Buffer.from(sample.subarray(0, 8)).toString('latin1')
  if (SIGNATURES.some((signature) => head.startsWith(signature))) return true
  let controls = 0
  for (const byte of sample)
    if (byte < 0x09 || (byte > 0x0d && byte < 0x20 && byte !== 0x1b) || byte === 0x7f) controls++
  return controls > sample.length / 200 + 1 || isEbcdic(sample)
}

/** Text of mainframes: its space is 0x40 and ASCII's space hardly occurs. No decoder knows it, so it must not pass for another. */
function isEbcdic(sample: Uint8Array): boolean {
  let [ebcdicSpaces, spaces, high] = [0, 0, 0]
  for (const byte of sample) {
    if (byte === 0x40) ebcdicSpaces++
    else if (byte === 0x20) spaces++
    else if (byte >= 0x80) high++
  }
  return ebcdicSpaces * 20 > sample.length && spaces * 10 < ebcdicSpaces && high * 4 > sample.length
}

/** A few broken sequences in UTF-8 text: repair them by U+FFFD instead of taking the whole for something else. */
function isNearlyUtf8(sample: Uint8Array): boolean {
  const text = new TextDecoder().decode(sample)
  let [broken, good] = [0, 0]
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === 0xfffd) broken++
    else if (unit >= 0x80) good++
  }
  return good >= 20 && broken * 20 < good
}

/** Statistics need bytes beyond ASCII; a sample of the neighbourhood of the first of them, cut at line ends if possible. */
function nonAsciiSample(bytes: Uint8Array): Uint8Array {
  let first = bytes.findIndex((byte) => byte >= 0x80)
  while (first > 0 && bytes[first - 1] !== 0x0a && bytes[first - 1] !== 0x20) first--
  return bytes.subarray(Math.max(0, first), Math.max(0, first) + SAMPLE_BYTES)
}
