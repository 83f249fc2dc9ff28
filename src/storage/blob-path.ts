import { join } from 'node:path'
import { SheafError } from '../core/index.ts'

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/

/** Throws SheafError internal unless the key is two or more names of letters, digits, `.`, `_`, `-`, parted by `/`. */
export function assertKey(key: string): void {
  const segments = key.split('/')
  if (segments.length >= 2 && segments.every((segment) => SEGMENT.test(segment))) return
  throw new SheafError('internal', `not a blob key: ${JSON.stringify(key.slice(0, 80))}`)
}

/**
 * The path of a blob below the folder of all blobs: the folders of its key, then a folder of the first character of its
 * name: sixteen directories share the syncs of many commits, and none of a million blobs is too large for the disk.
 */
export function blobPath(root: string, key: string): string {
  assertKey(key)
  const segments = key.split('/')
  const name = segments.pop()!
  return join(root, ...segments, name.slice(0, 1), name)
}
