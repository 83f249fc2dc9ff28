import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, open, readdir, rm, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { blobPath } from './blob-path.ts'
import type { BlobStore } from './blob-store.ts'
import { createDirectorySync, makeDurableDirectory } from './directory-sync.ts'
import { listBlobs } from './local-listing.ts'
import { adoptFile, type LocalFolders, stageStream } from './local-staging.ts'
import { readError, systemCode, writeError } from './storage-errors.ts'

/** Below this size a blob is copied to where a reader wants it, from here on it is linked. */
const LINK_FROM_BYTES = 1 << 20

/**
 * Opens a store in a local directory, making the directory if it is missing.
 *
 * Layout: `blobs/<folders of the key>/<first character of the name>/<name>`, and `staged/` for what is not yet
 * committed. Files are private to the user (0600 while written, then 0400).
 *
 * Durability: write, fsync of the file, rename, fsync of the directory (and of the parent of each directory that was
 * made for it); only then does `commit` resolve. Commits into one directory share its fsync.
 * Throws SheafError no_space or write_failed when the directory cannot be made.
 */
export async function openLocalStore(directory: string): Promise<BlobStore> {
  const folders = await prepareFolders(directory)
  const pathOf = (key: string) => blobPath(folders.blobs, key)
  return {
    stage: (content, options = {}) => stageStream(folders, content, options),
    adopt: (file, written) => adoptFile(folders, file, written),
    get: (key, range) => readBlob(pathOf(key), range),
    materialise: (key, path) => placeCopy(pathOf(key), path),
    head: (key) => headBlob(pathOf(key)),
    delete: (key) => deleteBlob(folders, pathOf(key)),
    list: (prefix) => listBlobs(folders.blobs, prefix),
    sign: async () => null,
    probe: () => probeDisk(folders.staged),
    sweep: (olderThanMs) => sweepStaged(folders.staged, Date.now() - olderThanMs),
  }
}

async function prepareFolders(directory: string): Promise<LocalFolders> {
  try {
    const blobs = await makeDurableDirectory(join(directory, 'blobs'))
    const staged = await makeDurableDirectory(join(directory, 'staged'))
    return { blobs, staged, directories: createDirectorySync(blobs) }
  } catch (error) {
    throw writeError(error)
  }
}

async function readBlob(path: string, range?: { start: number; end?: number }): Promise<Readable> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw readError(error)
  })
  const start = range?.start ?? 0
  const end = range?.end ?? Infinity
  if (end <= start) {
    await handle.close()
    return Readable.from([], { objectMode: false })
  }
  return handle.createReadStream({ start, end: end - 1, highWaterMark: 1 << 18 })
}

/**
 * A reader that writes to its input by mistake would change the blob through a hard link, so small blobs are copied
 * (shared blocks where the file system can). From 1 MB on the blob is linked, as copying would cost more than reading;
 * its mode 0400 keeps everyone but root from writing to it.
 */
async function placeCopy(blob: string, path: string): Promise<void> {
  const { size } = await stat(blob).catch((error: unknown) => {
    throw readError(error)
  })
  try {
    await rm(path, { force: true })
    if (size >= LINK_FROM_BYTES && (await linked(blob, path))) return
    await copyFile(blob, path, constants.COPYFILE_FICLONE)
  } catch (error) {
    throw systemCode(error) === 'ENOENT' && (await headBlob(blob)) === null ? readError(error) : writeError(error)
  }
}

const NO_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

async function linked(blob: string, path: string): Promise<boolean> {
  try {
    await link(blob, path)
    return true
  } catch (error) {
    if (NO_LINK.has(systemCode(error) ?? '')) return false
    throw error
  }
}

async function headBlob(path: string): Promise<{ bytes: number } | null> {
  try {
    return { bytes: (await stat(path)).size }
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return null
    throw readError(error)
  }
}

async function deleteBlob(folders: LocalFolders, path: string): Promise<boolean> {
  try {
    await unlink(path)
    // without the sync a deleted document could come back after a power cut
    await folders.directories.sync(dirname(path))
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw writeError(error)
  }
}

async function probeDisk(staged: string): Promise<{ freeBytes: number; totalBytes: number }> {
  const path = join(staged, `${randomUUID()}.probe`)
  try {
    const handle = await open(path, 'wx', 0o600)
    try {
      await handle.writeFile('probe')
      await handle.sync()
    } finally {
      await handle.close()
      await rm(path, { force: true })
    }
    const { bavail, blocks, bsize } = await statfs(staged)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch (error) {
    throw writeError(error)
  }
}

/** By the time of the last change of the inode: a file that was adopted keeps the time its writer gave it. */
async function sweepStaged(staged: string, before: number): Promise<number> {
  let removed = 0
  try {
    for (const name of await readdir(staged)) {
      const found = await stat(join(staged, name)).catch(() => null)
      if (found === null || Math.floor(found.ctimeMs) > before) continue
      await rm(join(staged, name), { force: true })
      removed += 1
    }
  } catch (error) {
    throw writeError(error)
  }
  return removed
}
