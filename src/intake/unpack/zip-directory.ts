import { read } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { type Entry, fromRandomAccessReader, getFileNameLowLevel, RandomAccessReader, type ZipFile } from 'yauzl'
import { SheafError } from '../../core/index.ts'
import { type MemberName, memberName } from './member-file.ts'
import type { UnpackBudget } from './unpack-budget.ts'
import type { SkippedEntry } from './unpack-result.ts'

/** An entry of the central directory (APPNOTE 6.3.10 §4.3.12), reduced to what unpacking needs. */
export interface ZipEntry {
  name: MemberName
  /** Null for a file. */
  skip: SkippedEntry['reason'] | null
  encrypted: boolean
  /** 0 stored, 8 deflated, 99 encrypted with AES. */
  method: number
  crc32: number
  compressedBytes: number
  bytes: number
  /** Where the local header starts. */
  offset: number
  /** The byte that the last byte of a traditional encryption header must equal (APPNOTE §6.1.6). */
  checkByte: number
  /** Content of the extra field 0x9901, null without AES. */
  aesField: Buffer | null
}

/**
 * Reads the central directory. Throws SheafError: `archive_limits` when what it declares breaks a limit, entries
 * overlap, or it holds more than it says; `password_required` for encryption that cannot be opened; other errors of
 * the reader for a directory that is damaged.
 */
export async function readZipDirectory(handle: FileHandle, size: number, budget: UnpackBudget): Promise<ZipEntry[]> {
  const zip = await openZip(handle, await endOfArchive(handle, size))
  budget.countEntries(zip.entryCount)
  const entries: ZipEntry[] = []
  let declared = 0
  let spans: [number, number][] = []
  try {
    for await (const entry of zip.eachEntry()) {
      entries.push(reduceEntry(entry, entries.length + 1))
      declared += entry.uncompressedSize
      spans.push([
        entry.relativeOffsetOfLocalHeader,
        entry.relativeOffsetOfLocalHeader + 30 + entry.fileNameLength + entry.compressedSize,
      ])
    }
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('strong encryption')) {
      throw new SheafError('password_required', 'the archive is encrypted in a way that cannot be opened', {
        cause: error,
      })
    }
    throw error
  }
  budget.checkDeclared(declared)
  spans = spans.toSorted((a, b) => a[0] - b[0])
  if (spans.some(([, end], at) => end > (spans[at + 1]?.[0] ?? Infinity))) {
    throw new SheafError('archive_limits', 'entries of the archive overlap')
  }
  await assertComplete(handle, zip)
  return entries
}

/** yauzl reads as many entries as the directory says it has; a false count must not hide the rest. */
async function assertComplete(handle: FileHandle, zip: ZipFile): Promise<void> {
  // the type declaration of yauzl calls this position a boolean
  const position = zip.readEntryCursor as unknown as number
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, position)
  if (bytesRead === 4 && buffer.readUInt32LE(0) === 0x02014b50) {
    throw new SheafError('archive_limits', `the archive says it has ${zip.entryCount} entries and has more`)
  }
}

/** Where the archive ends: bytes behind the end record and its comment (a transfer's padding) do no harm. */
async function endOfArchive(handle: FileHandle, size: number): Promise<number> {
  const length = Math.min(size, 22 + 0xffff + 0xffff)
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
  for (let at = length - 22; at >= 0; at -= 1) {
    if (buffer.readUInt32LE(at) !== 0x06054b50) continue
    const end = at + 22 + buffer.readUInt16LE(at + 20)
    if (end <= length) return size - length + end
  }
  return size
}

function openZip(handle: FileHandle, size: number): Promise<ZipFile> {
  const options = { autoClose: false, lazyEntries: true, decodeStrings: false, validateEntrySizes: false }
  return new Promise((resolve, reject) => {
    fromRandomAccessReader(new HandleReader(handle), size, options, (error, zip) =>
      error ? reject(error) : resolve(zip),
    )
  })
}

/** The callback takes the number of bytes too, which its type declaration leaves out. */
type ReadArguments = [
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
  callback: (error: Error | null, bytesRead?: number) => void,
]

/** yauzl takes its bytes from a class of this kind; only the directory is read through it. */
class HandleReader extends RandomAccessReader {
  readonly handle: FileHandle
  constructor(handle: FileHandle) {
    super()
    this.handle = handle
  }

  override read(...[buffer, offset, length, position, callback]: ReadArguments): void {
    read(this.handle.fd, buffer, offset, length, position, callback)
  }

  override close(callback: (error: Error | null) => void): void {
    callback(null)
  }
}

function reduceEntry(entry: Entry, index: number): ZipEntry {
  const given = nameOf(entry)
  return {
    name: memberName(index, given),
    skip: skipReason(entry, given),
    encrypted: entry.isEncrypted(),
    method: entry.compressionMethod,
    crc32: entry.crc32,
    compressedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    offset: entry.relativeOffsetOfLocalHeader,
    checkByte: (entry.generalPurposeBitFlag & 8) === 0 ? entry.crc32 >>> 24 : entry.lastModFileTime >>> 8,
    aesField: entry.extraFields.find((field) => field.id === 0x9901)?.data ?? null,
  }
}

/** Names without the UTF-8 flag are code page 437 by the standard, but many writers put UTF-8 there all the same. */
function nameOf(entry: Entry): string {
  const raw = entry.fileNameRaw
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw)
  } catch {
    return getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, false)
  }
}

const UNIX_KINDS: Record<number, SkippedEntry['reason'] | null> = {
  0o000000: null,
  0o100000: null,
  0o040000: 'directory',
  0o120000: 'symbolic link',
  0o020000: 'device',
  0o060000: 'device',
  0o010000: 'device',
  0o140000: 'device',
}

function skipReason(entry: Entry, name: string): SkippedEntry['reason'] | null {
  const system = entry.versionMadeBy >>> 8
  // 3 Unix, 19 macOS: the upper half of the attributes is the mode of the file
  const mode = system === 3 || system === 19 ? (entry.externalFileAttributes >>> 16) & 0o170000 : 0
  const kind = mode in UNIX_KINDS ? UNIX_KINDS[mode]! : 'unknown kind'
  if (kind !== null) return kind
  const isDosDirectory = system === 0 && (entry.externalFileAttributes & 0x10) !== 0
  return /[\\/]$/.test(name) || (isDosDirectory && entry.uncompressedSize === 0) ? 'directory' : null
}
