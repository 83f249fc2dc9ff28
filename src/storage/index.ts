import { fileURLToPath } from 'node:url'
import { SheafError } from '../core/index.ts'
import type { BlobStore } from './blob-store.ts'
import { openLocalStore } from './local-store.ts'

export { type BlobStore, readingKey, sourceKey, type StagedBlob, type StageOptions } from './blob-store.ts'
export { openLocalStore } from './local-store.ts'

/**
 * Opens the store that a URL names: `file:` URLs and plain paths are local directories.
 * Throws SheafError unavailable for schemes that this release does not have (`s3:`).
 */
export async function openStore(url: string): Promise<BlobStore> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme === undefined) return openLocalStore(url)
  if (scheme === 'file') return openLocalStore(fileURLToPath(url))
  if (scheme === 's3')
    throw new SheafError('unavailable', 'storage in S3 arrives with a later release; give a directory')
  throw new SheafError('unavailable', `there is no storage for "${scheme}:"; give a directory or a file: URL`)
}
