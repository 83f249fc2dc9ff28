import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { cleanLabel } from '../names.ts'
import type { UnpackedMember } from './unpack-result.ts'

const RAW_NAME_CHARACTERS = 4096

/** The label of an entry, and the name it came from where the two differ. */
export interface MemberName {
  index: number
  path: string
  rawName?: string
}

/** Names the entry at a place (from 1) of an archive. */
export function memberName(index: number, given: string): MemberName {
  const path = cleanLabel(given) ?? `member-${String(index).padStart(6, '0')}`
  return path === given ? { index, path } : { index, path, rawName: given.slice(0, RAW_NAME_CHARACTERS) }
}

/**
 * Writes a member to a new file that is named by its place only; never follows or replaces what is there.
 * The file is gone again when the content fails.
 */
export async function writeMember(
  directory: string,
  name: MemberName,
  content: AsyncIterable<Uint8Array>,
): Promise<UnpackedMember> {
  const file = join(directory, String(name.index).padStart(6, '0'))
  const handle = await open(file, 'wx', 0o600)
  let bytes = 0
  try {
    for await (const chunk of content) {
      bytes += chunk.byteLength
      await handle.writeFile(chunk)
    }
  } catch (error) {
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  return { ...name, bytes, file }
}
