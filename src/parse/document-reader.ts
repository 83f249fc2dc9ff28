/** The contract between whoever reads documents (the worker's child) and the readers of this folder. */

import type { ErrorCode, Page, ReadingIssue } from '../core/index.ts'

/** Version of what readers yield; part of the cache key. Raise when output changes. */
export const READER_VERSION = '1'

/** Random access to the bytes of one document. */
export interface ByteSource {
  /** Number of bytes. */
  readonly size: number
  /** At most `length` bytes from `offset`; fewer only at the end. */
  read(offset: number, length: number): Promise<Uint8Array>
  /** All bytes. */
  bytes(): Promise<Uint8Array>
}

export interface ReadRequest {
  path: string
  /** Decided from the content by intake; parameters such as charset are ignored. */
  mediaType: string
  sha256: string
  /** Tried in this order after the empty password. */
  passwords: string[]
  /** Cap on the text that is yielded, in bytes of UTF-8. */
  maxTextBytes: number
  /** For whoever watches `progress`: readers have no clock and never end a page by time. */
  pageSeconds?: number
}

/** Takes pages as soon as they are read. */
export interface ReadingSink {
  page(page: Page): void | Promise<void>
  /** Called before each page with the number of pages done, and after the last one. */
  progress?(done: number, total: number | null): void
}

/** A document that was read, perhaps with issues. */
export interface ReadEnd {
  outcome: 'read'
  title: string | null
  /** ISO 639-1 */
  language: string | null
  metadata: Record<string, string>
  text: string
  /** Pages given to the sink, failed ones included. */
  pages: number
  failedPages: number[]
  words: number
  /** Unicode characters of `text`. */
  characters: number
  issues: ReadingIssue[]
}

export interface FailedEnd {
  outcome: 'failed'
  code: ErrorCode
  detail?: string
  page?: number
}

export type ReadingEnd = ReadEnd | FailedEnd

/** One format: bytes to pages. Never throws for what the bytes hold. */
export type FormatReader = (source: ByteSource, request: ReadRequest, sink: ReadingSink) => Promise<ReadingEnd>
