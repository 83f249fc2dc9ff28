import { createHash, randomUUID } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { failpoint, SheafError } from '../core/index.ts'
import { blobPath } from './blob-path.ts'
import type { StagedBlob, StageOptions } from './blob-store.ts'
import type { DirectorySync } from './directory-sync.ts'
import { systemCode, writeError } from './storage-errors.ts'

/** The folders of one local store, both on the same file system. */
export interface LocalFolders {
  blobs: string
  staged: string
  directories: DirectorySync
}

interface StagedFile {
  path: string
  sha256: string
  bytes: number
}

/** A blob never changes; without the write permission a child of another user cannot change it through a hard link. */
const BLOB_MODE = 0o400

/** Writes the stream to a new temporary file and syncs it; the file is gone again when anything fails. */
export async function stageStream(
  folders: LocalFolders,
  content: Readable,
  options: StageOptions,
): Promise<StagedBlob> {
  const path = temporaryPath(folders)
  try {
    const handle = await open(path, 'wx', 0o600).catch((error: unknown) => {
      throw writeError(error)
    })
    try {
      const written = await writeStream(handle, content, options.maxBytes ?? Infinity)
      failpoint('upload-received')
      await syncContent(handle)
      return stagedBlob(folders, { path, ...written })
    } finally {
      await handle.close()
    }
  } catch (error) {
    content.destroy()
    await rm(path, { force: true }).catch(() => {})
    throw error
  }
}

/**
 * Moves a file here that somebody else wrote; only a regular file is taken, never a link. It is hashed and synced where
 * it is, unless its writer has done so and says what it wrote.
 */
export async function adoptFile(
  folders: LocalFolders,
  file: string,
  written?: { sha256: string; bytes: number },
): Promise<StagedBlob> {
  const content = written ? await trustWriter(file, written) : await hashAndSync(file)
  const path = temporaryPath(folders)
  try {
    await rename(file, path)
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw writeError(error)
    const copy = await stageStream(folders, createReadStream(file), {})
    await rm(file, { force: true })
    return copy
  }
  return stagedBlob(folders, { path, ...content })
}

type Content = Pick<StagedFile, 'sha256' | 'bytes'>

async function trustWriter(file: string, written: Content): Promise<Content> {
  const found = await lstat(file).catch((error: unknown) => {
    throw writeError(error)
  })
  if (!found.isFile() || found.size !== written.bytes) {
    throw new SheafError('write_failed', 'what is to be adopted is not the file that was written')
  }
  return written
}

async function hashAndSync(file: string): Promise<Content> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    throw writeError(error)
  })
  try {
    if (!(await handle.stat()).isFile()) {
      throw new SheafError('write_failed', 'what is to be adopted is not a regular file')
    }
    const content = await hashFile(handle)
    await syncContent(handle)
    return content
  } finally {
    await handle.close()
  }
}

function temporaryPath(folders: LocalFolders): string {
  return join(folders.staged, `${randomUUID()}.part`)
}

async function writeStream(
  handle: FileHandle,
  content: Readable,
  maxBytes: number,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of content as AsyncIterable<Uint8Array | string>) {
    const data = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    bytes += data.byteLength
    if (bytes > maxBytes) throw new SheafError('too_large', `more than ${maxBytes} bytes`)
    hash.update(data)
    // waiting for the write is what holds back a sender that is faster than the disk
    await handle.writeFile(data).catch((error: unknown) => {
      throw writeError(error)
    })
  }
  return { sha256: hash.digest('hex'), bytes }
}

async function hashFile(handle: FileHandle): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of handle.createReadStream({
    autoClose: false,
    highWaterMark: 1 << 18,
    start: 0,
  }) as AsyncIterable<Uint8Array>) {
    hash.update(chunk)
    bytes += chunk.byteLength
  }
  return { sha256: hash.digest('hex'), bytes }
}

async function syncContent(handle: FileHandle): Promise<void> {
  try {
    await handle.chmod(BLOB_MODE)
    await handle.sync()
  } catch (error) {
    throw writeError(error)
  }
  failpoint('after-blob-sync')
}

function stagedBlob(folders: LocalFolders, file: StagedFile): StagedBlob {
  let renamedTo: string | null = null
  let committing: { key: string; done: Promise<void> } | null = null

  async function moveTo(key: string): Promise<void> {
    const target = blobPath(folders.blobs, key)
    if (renamedTo !== null && renamedTo !== target) throw new SheafError('internal', 'a staged blob has one key')
    try {
      if (renamedTo === null) await renameDurably(folders, file.path, target)
      renamedTo = target
      failpoint('after-blob-rename')
      await folders.directories.sync(dirname(target))
    } catch (error) {
      throw writeError(error)
    }
  }

  return {
    sha256: file.sha256,
    bytes: file.bytes,
    commit(key) {
      if (committing?.key === key) return committing.done
      const done = moveTo(key)
      committing = { key, done }
      // a commit that failed may be tried again; what it had reached (the rename) is kept
      done.catch(() => {
        committing = null
      })
      return done
    },
    async discard() {
      await rm(file.path, { force: true }).catch((error: unknown) => {
        throw writeError(error)
      })
    },
  }
}

async function renameDurably(folders: LocalFolders, from: string, to: string): Promise<void> {
  const directory = dirname(to)
  await folders.directories.ensure(directory)
  try {
    await rename(from, to)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    // someone removed the empty directory since it was made
    folders.directories.forget(directory)
    await folders.directories.ensure(directory)
    await rename(from, to)
  }
}
