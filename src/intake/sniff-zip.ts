/** Which kind of ZIP file: by the first entry, `[Content_Types].xml`, or the names of the entries. */

const SIGNATURES = ['PK\x03\x04', 'PK\x05\x06', 'PK\x07\x08', 'PK00PK\x03\x04']
const LOCAL_HEADER = 0x04034b50
const CENTRAL_HEADER = 0x02014b50
const END_OF_DIRECTORY = 0x06054b50
/** More names are not looked at; the telling ones stand at the front. */
const MAX_NAMES = 2000

export function isZip(head: Uint8Array): boolean {
  const start = Buffer.from(head.subarray(0, 8)).toString('latin1')
  return SIGNATURES.some((signature) => start.startsWith(signature))
}

/**
 * EPUB (OCF 3.3 §4.3) and OpenDocument (ODF 1.3 part 2 §3.3) say their type in a first, stored entry named `mimetype`.
 * Null when there is no such entry.
 */
export function declaredZipType(head: Uint8Array): string | null {
  const start = Buffer.from(head.subarray(0, 300)).toString('latin1')
  const declared =
    /^PK\x03\x04[^]{4}\x00\x00[^]{16}\x08\x00[^]{2}mimetype[^]*?((?:application|image)\/[a-z0-9.+-]+)/.exec(start)?.[1]
  if (declared === undefined) return null
  // the content runs on into the signature of the next entry
  const type = declared.replace(/PK$/, '')
  return type === 'application/epub+zip' || type.startsWith('application/vnd.') ? type : null
}

const BY_NAME: readonly (readonly [RegExp, string])[] = [
  [/^word\/document\d*\.xml$/, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
  [/^xl\/workbook\.xml$/, 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  [/^xl\/workbook\.bin$/, 'application/vnd.ms-excel.sheet.binary.macroenabled.12'],
  [/^ppt\/presentation\.xml$/, 'application/vnd.openxmlformats-officedocument.presentationml.presentation'],
  [/^META-INF\/container\.xml$/, 'application/epub+zip'],
  [/^Index\/Document\.iwa$/, 'application/vnd.apple.iwork'],
]

/** The type that the names of the entries tell, else `application/zip`. */
export function zipTypeByNames(names: readonly string[]): string {
  for (const name of names) {
    for (const [pattern, type] of BY_NAME) if (pattern.test(name)) return type
  }
  return 'application/zip'
}

/** Names of entries, from the central directory as far as it lies in the tail, else from the local headers in the head. */
export function zipNames(head: Uint8Array, tail: Uint8Array, size: number): string[] {
  return [...centralNames(Buffer.from(tail), size), ...localNames(Buffer.from(head))]
}

function centralNames(tail: Buffer, size: number): string[] {
  const end = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  if (end < 0 || end + 22 > tail.length || tail.readUInt32LE(end) !== END_OF_DIRECTORY) return []
  // reckoned back from its end, so that it is found also when bytes were put before the archive
  const begin = Math.max(0, end - tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16) - (size - tail.length))
  const names: string[] = []
  for (let at = begin; at + 46 <= end && names.length < MAX_NAMES;) {
    if (tail.readUInt32LE(at) !== CENTRAL_HEADER) break
    const nameLength = tail.readUInt16LE(at + 28)
    names.push(tail.toString('utf8', at + 46, at + 46 + nameLength))
    at += 46 + nameLength + tail.readUInt16LE(at + 30) + tail.readUInt16LE(at + 32)
  }
  return names
}

/** Walks from entry to entry; where the size stands behind the content, it searches for the next header. */
function localNames(head: Buffer): string[] {
  const names: string[] = []
  for (let at = 0; at >= 0 && at + 30 <= head.length && names.length < MAX_NAMES;) {
    if (head.readUInt32LE(at) !== LOCAL_HEADER) break
    const nameLength = head.readUInt16LE(at + 26)
    const content = at + 30 + nameLength + head.readUInt16LE(at + 28)
    names.push(head.toString('utf8', at + 30, at + 30 + nameLength))
    const bytes = head.readUInt32LE(at + 18)
    at =
      bytes > 0 || (head.readUInt16LE(at + 6) & 8) === 0
        ? content + bytes
        : head.indexOf('PK\x03\x04', content, 'latin1')
  }
  return names
}
