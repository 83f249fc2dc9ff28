import type { FastifyReply, FastifyRequest } from 'fastify'
import type { BlobStore } from '../../storage/index.ts'
import { attachment } from './content-disposition.ts'
import { readRange } from './read-range.ts'

export interface StoredContent {
  key: string
  bytes: number
  /** Of the content; makes a strong ETag. */
  sha256: string
  name: string
  mediaType: string
}

/** Content that a person sent is never shown by the browser: it is saved, and could run nothing if it were opened. */
export function isolate(reply: FastifyReply): FastifyReply {
  return reply
    .header('content-security-policy', "sandbox; default-src 'none'")
    .header('x-content-type-options', 'nosniff')
    .header('cache-control', 'private, no-cache')
}

/** Streams a blob as an attachment, or the range of it that was asked for. */
export async function sendBlob(
  request: FastifyRequest,
  reply: FastifyReply,
  store: BlobStore,
  content: StoredContent,
): Promise<FastifyReply> {
  const etag = `"${content.sha256}"`
  isolate(reply)
    .header('etag', etag)
    .header('accept-ranges', 'bytes')
    .header('content-disposition', attachment(content.name))
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  const ifRange = request.headers['if-range']
  const range = ifRange === undefined || ifRange === etag ? readRange(request.headers.range, content.bytes) : null
  const stream = await store.get(content.key, range ?? undefined)
  if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${content.bytes}`)
  const length = range ? range.end - range.start : content.bytes
  return reply.type(content.mediaType).header('content-length', length).send(stream)
}
