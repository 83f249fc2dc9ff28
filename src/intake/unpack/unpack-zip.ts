import { open } from 'node:fs/promises'
import { SheafError } from '../../core/index.ts'
import { writeMember } from './member-file.ts'
import { createBudget, type UnpackBudget } from './unpack-budget.ts'
import { isOfOneMember, unpackError } from './unpack-errors.ts'
import type { UnpackedArchive, UnpackedMember, UnpackOptions, UnpackTarget } from './unpack-result.ts'
import { readZipDirectory, type ZipEntry } from './zip-directory.ts'
import { findZipKeys, type ZipKeys } from './zip-keys.ts'
import { type OpenArchive, readZipMember } from './zip-member.ts'

/** Unpacks a ZIP file by its central directory; throws what concerns the whole archive, see unpackArchive. */
export async function unpackZip(
  file: string,
  { directory, limits }: UnpackTarget,
  options: UnpackOptions,
): Promise<UnpackedArchive> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const budget = createBudget(limits, size)
    const entries = await readZipDirectory(handle, size, budget)
    const keys = await findZipKeys(handle, entries, options.passwords)
    const result: UnpackedArchive = { outcome: 'unpacked', members: [], skipped: [], failedMembers: [] }
    for (const entry of entries) {
      if (entry.skip !== null) result.skipped.push({ path: entry.name.path, reason: entry.skip })
      else await unpackMember({ archive: { handle, size }, directory, budget, keys, options }, entry, result)
    }
    assertPasswordFitted(keys, result)
    return result
  } finally {
    await handle.close()
  }
}

interface Unpacking {
  archive: OpenArchive
  directory: string
  budget: UnpackBudget
  keys: ZipKeys
  options: UnpackOptions
}

async function unpackMember(unpacking: Unpacking, entry: ZipEntry, result: UnpackedArchive): Promise<void> {
  try {
    const member = await writeWithAnyKey(unpacking, entry)
    result.members.push(member)
    await unpacking.options.onMember?.(member)
  } catch (thrown) {
    const error = unpackError(thrown)
    if (!isOfOneMember(error)) throw error
    result.failedMembers.push({
      index: entry.name.index,
      path: entry.name.path,
      code: error.code,
      detail: error.message,
    })
  }
}

/** Tries every password whose short check passed; only the content shows which one is right. */
async function writeWithAnyKey(
  { archive, directory, budget, keys }: Unpacking,
  entry: ZipEntry,
): Promise<UnpackedMember> {
  const candidates = entry.encrypted ? (keys.get(entry.name.index) ?? []) : [null]
  let last: unknown = new SheafError('bad_zip', 'the header of the encrypted member is damaged')
  for (const key of candidates) {
    try {
      return await writeMember(directory, entry.name, readZipMember(archive, entry, budget, key))
    } catch (error) {
      last = error
    }
  }
  throw last
}

/** A wrong password passes the check of the traditional encryption once in 256 times; then all content is noise. */
function assertPasswordFitted(keys: ZipKeys, result: UnpackedArchive): void {
  const isOpen = result.members.some((member) => keys.has(member.index))
  if (keys.size === 0 || isOpen || [...keys.values()].some((ways) => ways.some((way) => way.isCertain))) return
  throw new SheafError('password_wrong', 'no password opens a member of the archive')
}
