import type { MultipartFile, MultipartValue } from '@fastify/multipart'
import type { Readable } from 'node:stream'
import { SheafError } from '../../core/index.ts'
import type { ReceivedFile } from '../../intake/index.ts'
import type { BlobStore } from '../../storage/index.ts'
import { createStagingLine, type StagingLine } from './staging-line.ts'

export interface ReceiveOptions {
  store: BlobStore
  /** Turns files into documents, in the order in which they came. */
  admit(files: ReceivedFile[]): Promise<void>
}

export type Part = MultipartFile | MultipartValue

/** Far above any path. */
const LONGEST_NAME = 8192
const LONGEST_KEY = 255

/**
 * Streams the files of a multipart body into the store and admits them in groups while the rest still arrives: what has
 * been staged when one admission ends is the next group. Nothing is held of a file but what is on its way to the disk.
 * Throws bad_request for a malformed or broken-off body, and what storing and admitting throw; what was not admitted by
 * then is discarded.
 */
export async function receiveFiles(parts: AsyncIterable<Part>, options: ReceiveOptions): Promise<void> {
  const line = createStagingLine()
  const present: PresentFile = { content: null }
  const reading = readParts(parts, { store: options.store, line, present }).then(line.close)
  const admitting = admitStaged(line, options)
  try {
    // after a failure nobody waits for the next part: it may never come
    await Promise.race([Promise.all([reading, admitting]), line.failed])
  } catch (error) {
    line.fail(error)
    present.content?.destroy()
    throw error
  } finally {
    await admitting.catch(() => {})
    for (const { staged } of await line.rest()) await staged?.discard()
  }
}

/** The file that is arriving. */
interface PresentFile {
  content: Readable | null
}

async function admitStaged(line: StagingLine, options: ReceiveOptions): Promise<void> {
  for (;;) {
    const files = await line.take()
    if (files.length === 0) return
    try {
      await options.admit(files)
    } catch (error) {
      for (const { staged } of files) await staged?.discard().catch(() => {})
      throw error
    }
  }
}

/** A field `key` belongs to the file that follows it. */
async function readParts(
  parts: AsyncIterable<Part>,
  to: { store: BlobStore; line: StagingLine; present: PresentFile },
): Promise<void> {
  let clientKey: string | null = null
  for await (const part of soundParts(parts)) {
    if (part.type === 'field') {
      if (part.fieldname === 'key') clientKey = readClientKey(part.value)
    } else {
      to.present.content = part.file
      await to.line.push(stageFile(part, clientKey, to.store))
      clientKey = null
    }
    // the parser keeps every part in an object of its own for the length of the request
    for (const name of Object.keys(part.fields)) delete part.fields[name]
  }
}

async function* soundParts(parts: AsyncIterable<Part>): AsyncGenerator<Part> {
  try {
    yield* parts
  } catch (error) {
    if (error instanceof SheafError || (error as { statusCode?: number }).statusCode !== undefined) throw error
    throw brokenOff(error)
  }
}

function readClientKey(value: unknown): string | null {
  if (typeof value !== 'string' || value.length > LONGEST_KEY)
    throw new SheafError('bad_request', `A key has at most ${LONGEST_KEY} characters.`)
  return value === '' ? null : value
}

async function stageFile(part: MultipartFile, clientKey: string | null, store: BlobStore): Promise<ReceivedFile> {
  // a part of type application/octet-stream is a file even without a name
  const path = (part.filename as string | undefined) ?? ''
  if (path.length > LONGEST_NAME)
    throw new SheafError('payload_too_large', `A name has at most ${LONGEST_NAME} characters.`)
  try {
    const staged = await store.stage(part.file)
    const file = { path, clientKey }
    if (!part.file.truncated) return { ...file, staged }
    await staged.discard()
    return {
      ...file,
      staged: null,
      refused: { code: 'too_large', detail: `The limit is ${part.file.bytesRead} bytes.` },
    }
  } catch (error) {
    // the store says what failed in it; anything else came out of the connection
    throw error instanceof SheafError ? error : brokenOff(error)
  }
}

function brokenOff(cause: unknown): SheafError {
  return new SheafError('bad_request', 'The multipart body is malformed or broke off.', { cause })
}
