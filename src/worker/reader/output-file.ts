import { createHash } from 'node:crypto'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { createZstdCompress, zstdCompressSync, type ZstdCompress } from 'node:zlib'

/** Up to so many characters are compressed in one call, which is much faster than a stream. */
const AT_ONCE_CHARACTERS = 4 * 1024 * 1024
const BLOCK_CHARACTERS = 256 * 1024
/** Each write waits for the disk, so they are large. */
const WRITE_BYTES = 1024 * 1024
/** fsync is not allowed in a process with restricted permissions; writes that are durable one by one are. */
const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_SYNC

/** A text that is written to a zstd file piece by piece; never held as a whole when it is long. */
export interface OutputFile {
  write(piece: string): void
  /** Resolves when the compressor has room. */
  drained(): Promise<void>
  /** Compresses what is left and closes; hash and size of the file, which is on the disk by then. */
  end(): Promise<{ sha256: string; bytes: number }>
}

/** Makes the file; nobody may change it afterwards, which is why it is born without the permission to write. */
export function openOutputFile(path: string): OutputFile {
  const file = openSync(path, FLAGS, 0o400)
  const hash = createHash('sha256')
  let bytes = 0
  let pending: string[] = []
  let characters = 0
  let stream: ZstdCompress | null = null
  let chunks: Uint8Array[] = []
  let unwritten = 0
  const flush = (): void => {
    if (unwritten > 0) writeSync(file, Buffer.concat(chunks))
    chunks = []
    unwritten = 0
  }
  const put = (chunk: Uint8Array): void => {
    hash.update(chunk)
    chunks.push(chunk)
    bytes += chunk.length
    unwritten += chunk.length
    if (unwritten >= WRITE_BYTES) flush()
  }
  const pass = (): void => {
    stream ??= createZstdCompress().on('data', put)
    stream.write(pending.join(''))
    pending = []
    characters = 0
  }
  return {
    write: (piece) => {
      pending.push(piece)
      characters += piece.length
      if (characters >= (stream ? BLOCK_CHARACTERS : AT_ONCE_CHARACTERS)) pass()
    },
    drained: async () => {
      if (stream?.writableNeedDrain) await once(stream, 'drain')
    },
    end: async () => {
      if (stream) {
        stream.end(pending.join(''))
        await once(stream, 'end')
      } else put(zstdCompressSync(Buffer.from(pending.join(''))))
      flush()
      closeSync(file)
      return { sha256: hash.digest('hex'), bytes }
    },
  }
}
