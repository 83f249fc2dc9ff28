import type { Readable } from 'node:stream'

/**
 * Where bytes live. Content-addressed per workspace: a key names its content, so writing one twice is harmless.
 * Every implementation passes test/conformance/storage.ts.
 *
 * Durability: `StagedBlob.commit` returns only when the bytes and the name would survive a power cut; the row
 * that refers to a blob is committed after that, never before.
 */
export interface BlobStore {
  /** Reads a stream into a temporary object, counting and hashing on the way; never holds the whole content in memory. */
  stage(content: Readable, options?: StageOptions): Promise<StagedBlob>
  /**
   * Takes over a file that a reader child wrote; it is moved (or copied across file systems), hashed and synced. With
   * `written` the writer has done both, and its word is taken: a false hash harms only the document it read.
   */
  adopt(file: string, written?: { sha256: string; bytes: number }): Promise<StagedBlob>
  /** Streams the content, or the bytes from `start` (inclusive) to `end` (exclusive). Throws SheafError blob_missing. */
  get(key: string, range?: { start: number; end?: number }): Promise<Readable>
  /** Makes the content readable as a local file at `path` (hard link or copy); throws SheafError blob_missing. */
  materialise(key: string, path: string): Promise<void>
  head(key: string): Promise<{ bytes: number } | null>
  /** True if there was something to delete. */
  delete(key: string): Promise<boolean>
  list(prefix: string): AsyncIterable<{ key: string; bytes: number; modified: Date }>
  /** A URL at which a client can fetch the content for some seconds, or null where the store has none. */
  sign(key: string, seconds: number): Promise<string | null>
  /** Free bytes, null where unknown; throws SheafError when the store does not answer or cannot be written. */
  probe(): Promise<{ freeBytes: number | null; totalBytes: number | null }>
  /** Removes staged objects that nobody will commit (older than `olderThanMs`); returns how many. */
  sweep(olderThanMs: number): Promise<number>
}

export interface StageOptions {
  /** Staging stops with SheafError too_large when more bytes arrive. */
  maxBytes?: number
}

export interface StagedBlob {
  readonly sha256: string
  readonly bytes: number
  /** Gives the content its final name, durably. Idempotent. */
  commit(key: string): Promise<void>
  /** Removes the temporary object; harmless after commit. */
  discard(): Promise<void>
}

/** The key of an uploaded file or archive member: `<workspace>/source/<sha256>`. */
export function sourceKey(workspaceId: string, sha256: string): string {
  return `${workspaceId}/source/${sha256}`
}

/** The key of what reading yielded: source content + reader version + a hash of the options that change it. */
export function readingKey(workspaceId: string, sha256: string, reader: string): string {
  return `${workspaceId}/reading/${sha256}-${reader}`
}
