import type { FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { SheafError } from '../../core/index.ts'
import { inflated } from './decompression.ts'
import type { UnpackBudget } from './unpack-budget.ts'
import type { ZipDecryption } from './zip-decryption.ts'
import type { ZipEntry } from './zip-directory.ts'

type Bytes = AsyncIterable<Uint8Array>

/** An archive that is open for reading; `size` in bytes. */
export interface OpenArchive {
  handle: FileHandle
  size: number
}

const CHUNK_BYTES = 65_536
const LOCAL_HEADER_BYTES = 30

/** Where the content of a member begins, from its local header (APPNOTE §4.3.7). Throws bad_zip or truncated. */
export async function contentStart(handle: FileHandle, entry: ZipEntry): Promise<number> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(LOCAL_HEADER_BYTES), 0, LOCAL_HEADER_BYTES, entry.offset)
  if (bytesRead < LOCAL_HEADER_BYTES) throw new SheafError('truncated', 'the member lies behind the end of the archive')
  if (buffer.readUInt32LE(0) !== 0x04034b50)
    throw new SheafError('bad_zip', 'there is no member where the directory says')
  return entry.offset + LOCAL_HEADER_BYTES + buffer.readUInt16LE(26) + buffer.readUInt16LE(28)
}

/**
 * Streams the content of a member, decrypted and inflated, counting what really comes out.
 * Throws SheafError: archive_limits as soon as it is more than the directory declares or the budget allows; bad_zip or
 * truncated for damage; unsupported_type for a compression method other than stored and deflated.
 */
export async function* readZipMember(
  { handle, size }: OpenArchive,
  entry: ZipEntry,
  budget: UnpackBudget,
  key: ZipDecryption | null,
): Bytes {
  const start = await contentStart(handle, entry)
  const header = key?.headerBytes ?? 0
  const trailer = key?.trailerBytes ?? 0
  const end = start + entry.compressedBytes
  if (end > size) throw new SheafError('truncated', 'the member ends behind the end of the archive')
  if (entry.compressedBytes < header + trailer) throw new SheafError('bad_zip', 'the encrypted member is too short')
  const stored = readRange(handle, start + header, end - trailer)
  const tail = Buffer.alloc(trailer)
  if (trailer > 0) await handle.read(tail, 0, trailer, end - trailer)
  yield* checked(
    decoded(key?.method ?? entry.method, key?.decrypt(stored, tail) ?? stored),
    entry,
    budget,
    key?.hasCrc ?? true,
  )
}

async function* checked(content: Bytes, entry: ZipEntry, budget: UnpackBudget, hasCrc: boolean): Bytes {
  let bytes = 0
  let sum = 0
  for await (const chunk of content) {
    bytes += chunk.byteLength
    budget.take(chunk.byteLength)
    if (bytes > entry.bytes)
      throw new SheafError('archive_limits', `a member declares ${entry.bytes} bytes and holds more`)
    sum = crc32(chunk, sum)
    yield chunk
  }
  if (bytes < entry.bytes) throw new SheafError('truncated', `${bytes} of ${entry.bytes} bytes`)
  if (hasCrc && sum !== entry.crc32) throw new SheafError('bad_zip', 'the checksum of the member is wrong')
}

function decoded(method: number, content: Bytes): Bytes {
  if (method === 0) return content
  if (method === 8) return inflated(content)
  throw new SheafError('unsupported_type', `the member is compressed by method ${method}, which cannot be read`)
}

async function* readRange(handle: FileHandle, start: number, end: number): Bytes {
  for (let at = start; at < end;) {
    // a new buffer each time: the inflater may still hold the last one
    const chunk = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, end - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
    if (bytesRead === 0) throw new SheafError('truncated', 'the archive ends before the member does')
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}
