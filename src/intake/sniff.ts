import { fileTypeFromBuffer } from 'file-type'
import { cfbType, isCfb } from './sniff-cfb.ts'
import { textType } from './sniff-markup.ts'
import { claimedType, mismatchOf } from './sniff-names.ts'
import { gzipType, isGzip, isTar } from './sniff-tar.ts'
import { textOf } from './sniff-text.ts'
import { declaredZipType, isZip, zipNames, zipTypeByNames } from './sniff-zip.ts'

/** So many bytes of the beginning and of the end are enough for every rule; more does no harm. */
export const HEAD_BYTES = 65_536
export const TAIL_BYTES = 65_536

export interface SniffedType {
  /** Without parameters, in lower case; `application/octet-stream` for what is not known, `application/x-empty` for nothing. */
  mediaType: string
  /** A sentence when the extension claims another type. */
  mismatch: string | null
}

/**
 * The type of a file, decided by content: the magic number at offset 0, then the structure behind it. The name only
 * decides among text types that look alike, and where the directory of an old Office file lies in the middle.
 * `head` and `tail` are the first and last bytes (all of them for a small file), `size` the length of the whole file.
 * Never throws.
 */
export async function sniffMediaType(
  head: Uint8Array,
  tail: Uint8Array,
  size: number,
  name: string,
): Promise<SniffedType> {
  if (size === 0) return { mediaType: 'application/x-empty', mismatch: null }
  const mediaType =
    magicType(head) ?? (await containerType(head, tail, size, name)) ?? otherType(head, tail, size, name)
  return describe((await mediaType) ?? 'application/octet-stream', name)
}

function describe(mediaType: string, name: string): SniffedType {
  return { mediaType, mismatch: mismatchOf(name, mediaType) }
}

/** Formats with one meaning of their first bytes, also when these are text. */
function magicType(head: Uint8Array): string | null {
  const start = Buffer.from(head.subarray(0, 8)).toString('latin1')
  if (start.startsWith('%PDF-')) return 'application/pdf'
  return start.startsWith('{\\rtf') ? 'application/rtf' : null
}

async function containerType(head: Uint8Array, tail: Uint8Array, size: number, name: string): Promise<string | null> {
  if (isZip(head)) return zipType(head, tail, size)
  if (isCfb(head)) return cfbType(head, tail, size) ?? claimedCfb(name)
  if (isGzip(head)) return gzipType(head)
  return isTar(head) ? 'application/x-tar' : null
}

async function zipType(head: Uint8Array, tail: Uint8Array, size: number): Promise<string> {
  const declared = declaredZipType(head) ?? (await binaryType(head))
  return declared === null || declared === 'application/zip' ? zipTypeByNames(zipNames(head, tail, size)) : declared
}

const CFB_TYPES = new Set([
  'application/msword',
  'application/vnd.ms-excel',
  'application/vnd.ms-powerpoint',
  'application/vnd.ms-outlook',
])

function claimedCfb(name: string): string {
  const claimed = claimedType(name)
  return claimed !== null && CFB_TYPES.has(claimed) ? claimed : 'application/x-cfb'
}

async function otherType(head: Uint8Array, tail: Uint8Array, size: number, name: string): Promise<string | null> {
  const whole = head.length >= size
  const text = textOf(head, whole)
  if (text === null) return hasLatePdfHeader(head) ? 'application/pdf' : ((await binaryType(head)) ?? imageType(head))
  const end = Buffer.from(tail).toString('latin1')
  // a PDF can be all ASCII; a text about PDF has the words but not the end of one
  if (hasLatePdfHeader(head) && !text.trimStart().startsWith('<') && /startxref\s+\d+\s+%%EOF/.test(end))
    return 'application/pdf'
  return textType({ text, end, whole, claimed: claimedType(name) })
}

/** Readers accept a header within the first 1024 bytes (ISO 32000-1 annex H, implementation note 13). */
function hasLatePdfHeader(head: Uint8Array): boolean {
  return /%PDF-\d/.test(Buffer.from(head.subarray(0, 1024 + 6)).toString('latin1'))
}

/** Images that file-type gives up on when the part it looks for lies behind the head. */
function imageType(head: Uint8Array): string | null {
  const start = Buffer.from(head.subarray(0, 8)).toString('latin1')
  if (start === '\x89PNG\r\n\x1a\n') return 'image/png'
  return start.startsWith('II*\0') || start.startsWith('MM\0*') ? 'image/tiff' : null
}

async function binaryType(head: Uint8Array): Promise<string | null> {
  try {
    return (await fileTypeFromBuffer(head))?.mime.split(';')[0] ?? null
  } catch {
    return null
  }
}
