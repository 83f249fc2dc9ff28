import { createHash } from 'node:crypto'
import type { Connection } from '../connect.ts'
import { ApiFailure } from '../failure.ts'
import type { InputFile, Unreadable } from '../run/walk.ts'
import { FileUnreadable, multipartBody, type MultipartFile } from './multipart.ts'

/** A request holds at most so many files and bytes; a single larger file has a request of its own. */
const FILES = 256
const BYTES = 32 * 1024 * 1024
/** The first requests are small, so that readers have work early. */
const FIRST_FILES = 16

/** Parts files into requests, in order. */
export function groupFiles<T extends { bytes: number }>(files: readonly T[]): T[][] {
  const groups: T[][] = []
  let most = FIRST_FILES
  let bytes = 0
  for (const file of files) {
    const last = groups.at(-1)
    if (last && last.length < most && bytes + file.bytes <= BYTES) {
      last.push(file)
      bytes += file.bytes
      continue
    }
    if (last) most = Math.min(FILES, most * 2)
    groups.push([file])
    bytes = file.bytes
  }
  return groups
}

/** The same file of the same input has the same key, so that sending it again changes nothing. */
export function fileKey({ label, file, bytes, modifiedMs }: InputFile): string {
  return createHash('sha256').update(`${label}\0${bytes}\0${modifiedMs}\0`).update(file).digest('base64url')
}

export interface UploadOptions {
  /** Called after each request with the number of files that have been sent. */
  sent(files: number): void
  /** Asked before each request. */
  isStopped(): boolean
}

/**
 * Sends files into an open batch, one request after the other, because positions are given in the order of arrival.
 * Returns the files that could not be read. Refused files are documents too: they have their error there.
 */
export async function uploadFiles(
  connection: Connection,
  batchId: string,
  files: readonly InputFile[],
  options: UploadOptions,
): Promise<Unreadable[]> {
  const unreadable: Unreadable[] = []
  let sent = 0
  for (const group of groupFiles(files)) {
    let rest = group.map((file): MultipartFile => ({
      name: file.label,
      file: file.file,
      bytes: file.bytes,
      key: fileKey(file),
    }))
    while (rest.length > 0 && !options.isStopped()) {
      const failed = await sendGroup(connection, batchId, rest)
      if (failed === null) break
      const { code, message } = failed.cause as NodeJS.ErrnoException
      unreadable.push({ label: failed.file.name, reason: code ?? message })
      rest = rest.filter((file) => file !== failed.file)
    }
    if (options.isStopped()) break
    options.sent((sent += group.length))
  }
  return unreadable
}

/** Null when the group has arrived, or the file because of which nothing of it has. */
async function sendGroup(
  connection: Connection,
  batchId: string,
  files: readonly MultipartFile[],
): Promise<FileUnreadable | null> {
  const { contentType, open } = multipartBody(files)
  try {
    await connection.request('POST', `/api/upload?batch_id=${encodeURIComponent(batchId)}`, {
      headers: { 'content-type': contentType },
      body: open,
    })
  } catch (error) {
    if (error instanceof FileUnreadable) return error
    // all of them were refused: they are in the batch with their reasons
    if (!(error instanceof ApiFailure && error.code === 'nothing_accepted')) throw error
  }
  return null
}
