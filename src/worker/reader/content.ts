import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { ByteSource } from '../../parse/index.ts'

/** What the child reads from. */
export type Content = ByteSource & { hash(): Promise<string>; close(): Promise<void> }

/** Files up to this size are read at once: most are, and a file is asked about more than once. */
const AT_ONCE_BYTES = 32 * 1024 * 1024

let last: { identity: string; bytes: Uint8Array } | null = null

/** Opens a file of the input folder; the content of the last small one is kept for the next question about it. */
export async function openContent(file: string): Promise<Content> {
  // the same name is another file when the next document sits there
  const { size, ino, ctimeMs } = statSync(file)
  const identity = `${file} ${ino} ${ctimeMs}`
  if (last?.identity === identity) return inMemory(last.bytes)
  if (size > AT_ONCE_BYTES) return onDisk(file, size)
  last = { identity, bytes: readFileSync(file) }
  return inMemory(last.bytes)
}

function inMemory(bytes: Uint8Array): Content {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    bytes: async () => bytes,
    hash: async () => createHash('sha256').update(bytes).digest('hex'),
    close: async () => {},
  }
}

async function onDisk(file: string, size: number): Promise<Content> {
  const handle = await open(file, 'r')
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset)
    return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead)
  }
  return {
    size,
    read,
    bytes: () => read(0, size),
    hash: async () => {
      const hash = createHash('sha256')
      await pipeline(createReadStream(file), hash)
      return hash.digest('hex')
    },
    close: () => handle.close(),
  }
}
