/**
 * The reader child: the only process that looks into documents. It has a folder to read from and one to write to, no
 * environment, no network, and is killed when it takes too long or too much memory. It never throws for bad input.
 */
import { armFailpoints, failpoint } from '../../core/index.ts'
import {
  DEFAULT_UNPACK_LIMITS,
  HEAD_BYTES,
  isArchive,
  sniffMediaType,
  TAIL_BYTES,
  unpackArchive,
} from '../../intake/content.ts'
import { canRead, readDocument, readerMemoryBytes, readingJsonWriter } from '../../parse/index.ts'
import { openContent } from './content.ts'
import { openOutputFile } from './output-file.ts'
import { MAX_TEXT_BYTES, type ReaderAnswer, type ReaderMessage, type ReaderRequest } from './protocol.ts'

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
  const content = await openContent(request.file)
  try {
    if ((await content.hash()) !== request.sha256) return { operation: 'failed', code: 'blob_corrupt' }
    const head = await content.read(0, HEAD_BYTES)
    const tail = await content.read(Math.max(0, content.size - TAIL_BYTES), TAIL_BYTES)
    const { mediaType, mismatch } = await sniffMediaType(head, tail, content.size, request.name)
    return { operation: 'detect', mediaType, mismatch, isArchive: isArchive(mediaType), isReadable: canRead(mediaType) }
  } finally {
    await content.close()
  }
}

async function unpack(request: ReaderRequest & { operation: 'unpack' }): Promise<ReaderAnswer> {
  const { file, mediaType, directory, depth, passwords, name } = request
  const result = await unpackArchive(file, mediaType, directory, DEFAULT_UNPACK_LIMITS, { depth, passwords, name })
  if (result.outcome === 'failed') return { operation: 'failed', code: result.code, detail: result.detail }
  return { operation: 'unpack', members: result.members, skipped: result.skipped, failedMembers: result.failedMembers }
}

async function read(request: ReaderRequest & { operation: 'read' }): Promise<ReaderAnswer> {
  const began = performance.now()
  const content = await openContent(request.file)
  const output = openOutputFile(request.output)
  try {
    const { path, mediaType, sha256 } = request
    const writer = readingJsonWriter(output.write, { path, mediaType, sha256 })
    const end = await readDocument(
      content,
      { ...request, maxTextBytes: MAX_TEXT_BYTES },
      {
        page: async (page) => {
          writer.page(page)
          failpoint('child-page', path)
          await output.drained()
        },
        progress: sparsely((done, total) => say({ type: 'progress', id: request.id, done, total })),
      },
    )
    if (end.outcome === 'failed') {
      await output.end()
      const { code, detail, page } = end
      return { operation: 'failed', code, ...(detail !== undefined && { detail }), ...(page !== undefined && { page }) }
    }
    writer.end(end)
    const written = await output.end()
    const { title, language, metadata, pages, failedPages, words, characters, issues } = end
    const facts = { title, language, metadata, pages, failedPages, words, characters, issues }
    return { operation: 'read', output: request.output, written, facts, milliseconds: performance.now() - began }
  } finally {
    await content.close()
  }
}

/** The worker wants to know that pages go by, not each of them. */
const PROGRESS_MS = 50

function sparsely(tell: (done: number, total: number | null) => void): (done: number, total: number | null) => void {
  let told = -Infinity
  return (done, total) => {
    if (performance.now() - told < PROGRESS_MS) return
    told = performance.now()
    tell(done, total)
  }
}
