/** Runs a whole reading in memory, as the worker does piece by piece. */

import type { Page, Reading } from '../../../src/core/index.ts'
import { type ByteSource, readDocument, type ReadingEnd, readingJsonWriter, type ReadRequest } from '../../../src/parse/index.ts'

export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
    bytes: async () => bytes,
  }
}

export interface TestReading {
  end: ReadingEnd
  pages: Page[]
  /** What the JSON writer wrote, parsed again; null when the document failed. */
  reading: Reading | null
}

export async function readForTest(
  content: Uint8Array | string,
  mediaType: string,
  options: Partial<ReadRequest> = {},
): Promise<TestReading> {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  const head = { path: 'test', mediaType, sha256: '0'.repeat(64) }
  const pages: Page[] = []
  let json = ''
  const writer = readingJsonWriter((piece) => { json += piece }, head)
  const request = { ...head, passwords: [], maxTextBytes: 64_000_000, ...options }
  const end = await readDocument(sourceOf(bytes), request, {
    page(page) {
      pages.push(page)
      writer.page(page)
    },
  })
  if (end.outcome === 'read') writer.end(end)
  return { end, pages, reading: end.outcome === 'read' ? (JSON.parse(json) as Reading) : null }
}

/** The reading of a document that must not fail. */
export async function readWell(content: Uint8Array | string, mediaType: string, options: Partial<ReadRequest> = {}) {
  const { end, reading } = await readForTest(content, mediaType, options)
  if (end.outcome !== 'read' || !reading) throw new Error(`the document failed: ${JSON.stringify(end)}`)
  return { end, reading }
}

/** Every place where a block or a line does not cut its text out of the text of the document, or an id is given twice. */
export function offsetFaults(reading: Reading): string[] {
  const faults: string[] = []
  const ids = new Set<string>()
  let end = 0
  for (const page of reading.pages) {
    for (const block of page.blocks) {
      if (ids.has(block.id)) faults.push(`id ${block.id} twice`)
      ids.add(block.id)
      if (block.start !== (end === 0 ? 0 : end + 2)) faults.push(`${block.id} does not follow the block before it`)
      for (const part of [block, ...(block.lines ?? [])]) {
        if (reading.text.slice(part.start, part.end) !== part.text) faults.push(`${block.id} at ${part.start}`)
      }
      end = block.end
    }
  }
  if (end !== reading.text.length) faults.push('text after the last block')
  return faults
}
