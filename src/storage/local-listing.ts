import type { Dirent } from 'node:fs'
import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readError, systemCode } from './storage-errors.ts'

export interface ListedBlob {
  key: string
  bytes: number
  modified: Date
}

/**
 * Streams the blobs whose key starts with the prefix, in the order of the directories; nothing is held in memory
 * but the open directories. A blob that vanishes meanwhile is left out.
 */
export async function* listBlobs(
  root: string,
  prefix: string,
  folders: readonly string[] = [],
): AsyncGenerator<ListedBlob> {
  for await (const entry of entriesOf(join(root, ...folders))) {
    if (entry.isDirectory()) {
      if (mayHold([...folders, entry.name], prefix)) yield* listBlobs(root, prefix, [...folders, entry.name])
      continue
    }
    const key = [...folders.slice(0, -1), entry.name].join('/')
    if (!entry.isFile() || !key.startsWith(prefix)) continue
    const found = await statIfThere(join(root, ...folders, entry.name))
    if (found) yield { key, bytes: found.size, modified: found.mtime }
  }
}

/** False where no key below these folders starts with the prefix; the last folder may be part of a name. */
function mayHold(folders: readonly string[], prefix: string): boolean {
  const start = folders.join('/')
  return start.startsWith(prefix) || prefix.startsWith(start)
}

async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    for await (const entry of await opendir(directory, { bufferSize: 256 })) yield entry
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw readError(error)
  }
}

async function statIfThere(path: string): Promise<{ size: number; mtime: Date } | null> {
  try {
    return await stat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw readError(error)
  }
}
