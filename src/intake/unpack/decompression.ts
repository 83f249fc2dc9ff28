import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createInflateRaw } from 'node:zlib'

type Bytes = AsyncIterable<Uint8Array>

/** Output comes in pieces of this size, so that no more than one lies between two checks of the limits. */
const OPTIONS = { chunkSize: 65_536 }

/** Raw deflate data (RFC 1951). Errors of zlib are thrown to the reader. */
export function inflated(content: Bytes): Bytes {
  return through(content, createInflateRaw(OPTIONS))
}

/** gzip data (RFC 1952), several members after each other too. Errors of zlib are thrown to the reader. */
export function gunzipped(content: Bytes): Bytes {
  return through(content, createGunzip(OPTIONS))
}

/** Stops the source, too, when the reader leaves early. */
async function* through(content: Bytes, decoder: Transform): Bytes {
  const feeding = pipeline(content, decoder).then(
    () => {},
    () => {},
  )
  try {
    yield* decoder as Bytes
  } finally {
    decoder.destroy()
    await feeding
  }
}
