import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'

/** A file to be sent. */
export interface MultipartFile {
  /** The label: a relative path with `/`. */
  name: string
  /** The name on this machine, as bytes where it is not valid UTF-8. */
  file: string | Buffer
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
 * The files as multipart/form-data (RFC 7578), each behind a field `key`. Files are opened one after another and never
 * held in memory.
 */
export function multipartBody(files: readonly MultipartFile[]): MultipartBody {
  const boundary = `sheaf-${randomBytes(18).toString('base64url')}`
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    open: () => Readable.from(pieces(files, boundary), { objectMode: false }),
  }
}

async function* pieces(files: readonly MultipartFile[], boundary: string): AsyncGenerator<Buffer> {
  for (const file of files) {
    yield Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="key"\r\n\r\n${file.key}\r\n` +
        `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${quoted(file.name)}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    )
    try {
      for await (const chunk of createReadStream(file.file)) yield chunk as Buffer
    } catch (error) {
      throw new FileUnreadable(file, error as Error)
    }
    yield Buffer.from('\r\n')
  }
  yield Buffer.from(`--${boundary}--\r\n`)
}

/** A name as a quoted-string (RFC 9110); line ends would end the header and become spaces. */
function quoted(name: string): string {
  return name
    .toWellFormed()
    .replace(/[\r\n\0]/g, ' ')
    .replace(/[\\"]/g, '\\$&')
}
