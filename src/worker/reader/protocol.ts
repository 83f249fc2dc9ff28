import type { ErrorCode, ReadingIssue } from '../../core/index.ts'

/** What a worker asks its reader child, one request at a time. Paths are inside the child's own folders. */
export type ReaderRequest =
  | { id: number; operation: 'detect'; file: string; name: string; sha256: string }
  | {
      id: number
      operation: 'unpack'
      file: string
      mediaType: string
      directory: string
      depth: number
      name: string
      passwords: string[]
    }
  | {
      id: number
      operation: 'read'
      file: string
      path: string
      mediaType: string
      sha256: string
      output: string
      passwords: string[]
      pageSeconds: number
    }
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never
export type ReaderQuestion = WithoutId<ReaderRequest>

export interface UnpackedMember {
  index: number
  path: string
  bytes: number
  file: string
}

export type ReaderAnswer =
  | { operation: 'detect'; mediaType: string; mismatch: string | null; isArchive: boolean; isReadable: boolean }
  | {
      operation: 'unpack'
      members: UnpackedMember[]
      skipped: { path: string; reason: string }[]
      failedMembers: { index: number; path: string; code: ErrorCode; detail?: string }[]
    }
  | ReadAnswer
  | { operation: 'failed'; code: ErrorCode; detail?: string; page?: number }

export interface ReadAnswer {
  operation: 'read'
  /** Compressed reading: JSON of a Reading, zstd. */
  output: string
  /** Its hash and size, as the child wrote and synced it. */
  written: { sha256: string; bytes: number }
  facts: ReadingFacts
  milliseconds: number
}

/** Everything about a reading but its text. */
export interface ReadingFacts {
  title: string | null
  language: string | null
  metadata: Record<string, string>
  pages: number
  failedPages: number[]
  words: number
  characters: number
  issues: ReadingIssue[]
}

/** What the child says: where it is, or the answer, with the memory it has grown to. */
export type ReaderMessage =
  | { type: 'ready' }
  | { type: 'progress'; id: number; done: number; total: number | null }
  | { type: 'answer'; id: number; answer: ReaderAnswer; memoryBytes: number }

/** Text a document may yield at most. */
export const MAX_TEXT_BYTES = 64 * 1024 * 1024
