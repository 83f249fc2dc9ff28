import { ENCRYPTED_OFFICE } from './sniff-names.ts'

/** Which kind of Compound File Binary (MS-CFB): old Office documents, Outlook messages, encrypted Office documents. */

const SIGNATURE = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const ENTRY_BYTES = 128
const DOC = 'application/msword'
const XLS = 'application/vnd.ms-excel'
const PPT = 'application/vnd.ms-powerpoint'
const MSG = 'application/vnd.ms-outlook'

/** Class ids of the root storage, as their 16 bytes stand in the file. */
const CLASSES: Record<string, string> = {
  '0609020000000000c000000000000046': DOC,
  '0009020000000000c000000000000046': DOC,
  '2008020000000000c000000000000046': XLS,
  '1008020000000000c000000000000046': XLS,
  '108d81649b4fcf1186ea00aa00b929e8': PPT,
  '0b0d020000000000c000000000000046': MSG,
}

/** Streams that only one kind has. The order decides where one document holds another. */
const STREAMS: readonly (readonly [string, string])[] = [
  ['EncryptedPackage', ENCRYPTED_OFFICE],
  ['__properties_version1.0', MSG],
  ['PowerPoint Document', PPT],
  ['WordDocument', DOC],
  ['Workbook', XLS],
  ['Book', XLS],
]

export function isCfb(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 8)).equals(SIGNATURE)
}

/**
 * The type of a CFB file, or null when neither the directory nor a telling stream name lies in the given parts.
 * `application/x-cfb` for a directory that was read and holds none of the known streams.
 */
export function cfbType(head: Uint8Array, tail: Uint8Array, size: number): string | null {
  const directory = directorySector(Buffer.from(head), Buffer.from(tail), size)
  if (directory !== null) {
    const names = entryNames(directory)
    if (names.includes('EncryptedPackage')) return ENCRYPTED_OFFICE
    const byClass = CLASSES[directory.toString('hex', 80, 96)]
    if (byClass !== undefined) return byClass
    const byStream = STREAMS.find(([stream]) => names.includes(stream))
    if (byStream !== undefined) return byStream[1]
  }
  // the directory goes on in a sector elsewhere: look for its names in what there is
  const found = STREAMS.find(([stream]) =>
    [head, tail].some((part) => Buffer.from(part).includes(directoryName(stream))),
  )
  return found?.[1] ?? (directory === null ? null : 'application/x-cfb')
}

/** The first sector of the directory and what follows it, if it lies in the given parts. */
function directorySector(head: Buffer, tail: Buffer, size: number): Buffer | null {
  if (head.length < 512) return null
  const shift = head.readUInt16LE(30)
  if (shift !== 9 && shift !== 12) return null
  const offset = (head.readUInt32LE(48) + 1) * 2 ** shift
  const inTail = offset - (size - tail.length)
  if (offset + ENTRY_BYTES <= head.length) return head.subarray(offset, offset + 2 ** shift)
  return inTail >= 0 && inTail + ENTRY_BYTES <= tail.length ? tail.subarray(inTail, inTail + 2 ** shift) : null
}

function entryNames(directory: Buffer): string[] {
  const names: string[] = []
  for (let at = 0; at + ENTRY_BYTES <= directory.length; at += ENTRY_BYTES) {
    const bytes = directory.readUInt16LE(at + 64)
    if (bytes >= 2 && bytes <= 64) names.push(directory.toString('utf16le', at, at + bytes - 2))
  }
  return names
}

/** A name as it stands in a directory entry: UTF-16, filled up with zeros to 64 bytes, then its length with the final zero. */
function directoryName(name: string): Buffer {
  const entry = Buffer.alloc(66)
  entry.write(name, 'utf16le')
  entry.writeUInt16LE((name.length + 1) * 2, 64)
  return entry
}
