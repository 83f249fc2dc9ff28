import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** Writes a file beside its place and then puts it there, so that nobody ever sees half of it. */
export async function writeWhole(
  file: string,
  content: Iterable<string> | AsyncIterable<string | Uint8Array> | Readable,
): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString('hex')}.part`
  try {
    await pipeline(
      content instanceof Readable ? content : Readable.from(content),
      createWriteStream(temporary, { flags: 'wx' }),
    )
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}
