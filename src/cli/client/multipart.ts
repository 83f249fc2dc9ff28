import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'

/** A file to be sent. */
export interface MultipartFile {
  /** The label: a relative path with `/`. */
  name: string
  /** The name on this machine, as bytes where it is not valid UTF-8. */
  file: string | Buffer
  /** Its size when it was found. */
  bytes: number
  /** Makes sending the file again idempotent. */
  key: string
}

/** A file could not be read while it was being sent. */
export class FileUnreadable extends Error {
  override readonly name = 'FileUnreadable'
  readonly file: MultipartFile
  constructor(file: MultipartFile, cause: Error) {
    super(cause.message, { cause })
    this.file = file
  }
}

export interface MultipartBody {
  contentType: string
  /** A new stream of the whole body; fails with FileUnreadable. */
  open(): Readable
}

/**
 * The files as multipart/form-data (RFC 7578), each behind a field `key`. Large files are streamed, and of
 * small ones a few are held in memory.
 */
export function multipartBody(files: readonly MultipartFile[]): MultipartBody {
  const boundary = `sheaf-${randomBytes(18).toString('base64url')}`
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    open: () => Readable.from(pieces(files, boundary), { objectMode: false }),
  }
}

/** Files up to this size are read whole, some ahead of the one that is sent: opening each in its turn takes longer. */
const SMALL_BYTES = 256 * 1024
const AHEAD = 16
/** Small pieces are sent together. */
const PIECE_BYTES = 64 * 1024

async function* pieces(files: readonly MultipartFile[], boundary: string): AsyncGenerator<Buffer> {
  const ahead = files.slice(0, AHEAD).map(readSmall)
  let gathered: Buffer[] = []
  let bytes = 0
  for (const [index, file] of files.entries()) {
    const content = await ahead.shift()!
    const later = files[index + AHEAD]
    if (later) ahead.push(readSmall(later))
    gathered.push(headOf(file, boundary))
    if (content instanceof Error) throw new FileUnreadable(file, content)
    if (content) gathered.push(content)
    else {
      yield Buffer.concat(gathered)
      gathered = []
      bytes = 0
      yield* large(file)
    }
    gathered.push(LINE_END)
    bytes += content?.length ?? 0
    if (bytes < PIECE_BYTES) continue
    yield Buffer.concat(gathered)
    gathered = []
    bytes = 0
  }
  gathered.push(Buffer.from(`--${boundary}--\r\n`))
  yield Buffer.concat(gathered)
}

const LINE_END = Buffer.from('\r\n')

function headOf(file: MultipartFile, boundary: string): Buffer {
  return Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="key"\r\n\r\n${file.key}\r\n` +
      `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${quoted(file.name)}"\r\n` +
      'Content-Type: application/octet-stream\r\n\r\n',
  )
}

/** The content of a small file, null for a large one, or why it cannot be read. */
async function readSmall({ file, bytes }: MultipartFile): Promise<Buffer | Error | null> {
  return bytes > SMALL_BYTES ? null : readFile(file).catch((error: Error) => error)
}

async function* large(file: MultipartFile): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(file.file)) yield chunk as Buffer
  } catch (error) {
    throw new FileUnreadable(file, error as Error)
  }
}

/** A name as a quoted-string (RFC 9110); line ends would end the header and become spaces. */
function quoted(name: string): string {
  return name
    .toWellFormed()
    .replace(/[\r\n\0]/g, ' ')
    .replace(/[\\"]/g, '\\$&')
}
