import type { FileHandle } from 'node:fs/promises'
import { SheafError } from '../../core/index.ts'
import { ENCRYPTION_HEADER_BYTES, openAes, openTraditional, type ZipDecryption } from './zip-decryption.ts'
import { contentStart } from './zip-member.ts'
import type { ZipEntry } from './zip-directory.ts'

/** The ways in which each encrypted member may be read, by its index; a member that is not encrypted is not in it. */
export type ZipKeys = ReadonlyMap<number, readonly ZipDecryption[]>

/**
 * Finds the passwords that fit each encrypted member before anything is unpacked. Throws SheafError password_required
 * when there is none to try, password_wrong when none fits some member. Members that are damaged are left out.
 */
export async function findZipKeys(
  handle: FileHandle,
  entries: readonly ZipEntry[],
  passwords: readonly string[],
): Promise<ZipKeys> {
  const keys = new Map<number, ZipDecryption[]>()
  // the one that fitted last is tried first: most archives have one password, and each try costs 1,000 hash rounds
  let ordered = [...passwords]
  for (const entry of entries) {
    if (!entry.encrypted || entry.skip !== null) continue
    if (passwords.length === 0) throw new SheafError('password_required', 'members of the archive are encrypted')
    const header = await readHeader(handle, entry)
    if (header === null) continue
    const fitting = ordered.flatMap((password) => {
      const opened = openMember(entry, header, password)
      return opened === null ? [] : [{ password, opened }]
    })
    if (fitting.length === 0) throw new SheafError('password_wrong', `no password fits the member ${entry.name.index}`)
    keys.set(
      entry.name.index,
      fitting.map(({ opened }) => opened),
    )
    ordered = [...new Set([...fitting.map(({ password }) => password), ...ordered])]
  }
  return keys
}

function openMember(entry: ZipEntry, header: Buffer, password: string): ZipDecryption | null {
  if (entry.method !== 99) return openTraditional(entry.method, entry.checkByte, header, password)
  return entry.aesField === null ? null : openAes(entry.aesField, header, password)
}

async function readHeader(handle: FileHandle, entry: ZipEntry): Promise<Buffer | null> {
  try {
    const { buffer } = await handle.read(
      Buffer.alloc(ENCRYPTION_HEADER_BYTES),
      0,
      ENCRYPTION_HEADER_BYTES,
      await contentStart(handle, entry),
    )
    return buffer
  } catch (error) {
    if (error instanceof SheafError) return null
    throw error
  }
}
