/**
 * The reader child: the only process that looks into documents. It has a folder to read from and one to write to, no
 * environment, no network, and is killed when it takes too long or too much memory. It never throws for bad input.
 */
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createZstdCompress } from 'node:zlib'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { armFailpoints, failpoint } from '../../core/index.ts'
import {
  DEFAULT_UNPACK_LIMITS,
  HEAD_BYTES,
  isArchive,
  sniffMediaType,
  TAIL_BYTES,
  unpackArchive,
} from '../../intake/content.ts'
import { canRead, readDocument, readerMemoryBytes, readingJsonWriter, type ByteSource } from '../../parse/index.ts'
import { MAX_TEXT_BYTES, type ReaderAnswer, type ReaderMessage, type ReaderRequest } from './protocol.ts'

/** Pieces of JSON are handed to the compressor in blocks of this size. */
const BLOCK_CHARACTERS = 256 * 1024

armFailpoints(process.argv[2])
process.on('message', (request: ReaderRequest) => void serve(request))
// without the worker there is nobody to answer
process.on('disconnect', () => process.exit(0))
say({ type: 'ready' })

function say(message: ReaderMessage): void {
  process.send!(message)
}

async function serve(request: ReaderRequest): Promise<void> {
  failpoint('child-start', 'path' in request ? request.path : '')
  let answer: ReaderAnswer
  try {
    answer = await perform(request)
  } catch (error) {
    answer = {
      operation: 'failed',
      code: 'internal',
      detail: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 300) : 'unknown',
    }
  }
  failpoint('child-end')
  say({ type: 'answer', id: request.id, answer, memoryBytes: Math.max(process.memoryUsage.rss(), readerMemoryBytes()) })
}

function perform(request: ReaderRequest): Promise<ReaderAnswer> {
  if (request.operation === 'detect') return detect(request)
  if (request.operation === 'unpack') return unpack(request)
  return read(request)
}

async function detect(request: ReaderRequest & { operation: 'detect' }): Promise<ReaderAnswer> {
  if ((await hashOf(request.file)) !== request.sha256) return { operation: 'failed', code: 'blob_corrupt' }
  const source = await openSource(request.file)
  try {
    const head = await source.read(0, HEAD_BYTES)
    const tail = await source.read(Math.max(0, source.size - TAIL_BYTES), TAIL_BYTES)
    const { mediaType, mismatch } = await sniffMediaType(head, tail, source.size, request.name)
    return { operation: 'detect', mediaType, mismatch, isArchive: isArchive(mediaType), isReadable: canRead(mediaType) }
  } finally {
    await source.close()
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

async function unpack(request: ReaderRequest & { operation: 'unpack' }): Promise<ReaderAnswer> {
  const { file, mediaType, directory, depth, passwords, name } = request
  const result = await unpackArchive(file, mediaType, directory, DEFAULT_UNPACK_LIMITS, { depth, passwords, name })
  if (result.outcome === 'failed') return { operation: 'failed', code: result.code, detail: result.detail }
  return { operation: 'unpack', members: result.members, skipped: result.skipped, failedMembers: result.failedMembers }
}

async function read(request: ReaderRequest & { operation: 'read' }): Promise<ReaderAnswer> {
  const began = performance.now()
  const source = await openSource(request.file)
  const output = compressedFile(request.output)
  try {
    const writer = readingJsonWriter(output.write, {
      path: request.path,
      mediaType: request.mediaType,
      sha256: request.sha256,
    })
    const end = await readDocument(
      source,
      { ...request, maxTextBytes: MAX_TEXT_BYTES },
      {
        page: async (page) => {
          writer.page(page)
          failpoint('child-page', request.path)
          await output.drained()
        },
        progress: (done, total) => say({ type: 'progress', id: request.id, done, total }),
      },
    )
    if (end.outcome === 'failed') {
      await output.end()
      return {
        operation: 'failed',
        code: end.code,
        ...(end.detail !== undefined && { detail: end.detail }),
        ...(end.page !== undefined && { page: end.page }),
      }
    }
    writer.end(end)
    await output.end()
    const { title, language, metadata, pages, failedPages, words, characters, issues } = end
    return {
      operation: 'read',
      output: request.output,
      title,
      language,
      metadata,
      pages,
      failedPages,
      words,
      characters,
      issues,
      milliseconds: performance.now() - began,
    }
  } finally {
    await source.close()
  }
}

type OpenSource = ByteSource & { close(): Promise<void> }

async function openSource(file: string): Promise<OpenSource> {
  const { size } = await stat(file)
  const handle = await open(file, 'r')
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, size - offset)))
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset)
    return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead)
  }
  return { size, read, bytes: () => read(0, size), close: () => handle.close() }
}

/** A zstd file written in blocks; `drained` gives the disk time when much is waiting. */
function compressedFile(path: string): { write(piece: string): void; drained(): Promise<void>; end(): Promise<void> } {
  const compressor = createZstdCompress()
  const file = createWriteStream(path, { mode: 0o600 })
  compressor.pipe(file)
  let block = ''
  const pass = (): void => {
    if (block) compressor.write(block)
    block = ''
  }
  return {
    write: (piece) => {
      block += piece
      if (block.length >= BLOCK_CHARACTERS) pass()
    },
    drained: async () => {
      if (compressor.writableNeedDrain) await once(compressor, 'drain')
    },
    end: async () => {
      pass()
      compressor.end()
      await once(file, 'close')
    },
  }
}
