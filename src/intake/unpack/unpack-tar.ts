import { createReadStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { extract, type Extract, type Header } from 'tar-stream'
import type { SheafError } from '../../core/index.ts'
import { gzipType } from '../sniff-tar.ts'
import { gunzipped } from './decompression.ts'
import { memberName, type MemberName, writeMember } from './member-file.ts'
import { createBudget, type UnpackBudget } from './unpack-budget.ts'
import { isOfOneMember, unpackError } from './unpack-errors.ts'
import type { SkippedEntry, UnpackedArchive, UnpackOptions, UnpackTarget } from './unpack-result.ts'

type Bytes = AsyncIterable<Uint8Array>
type Entry = Extract extends AsyncIterable<infer Source> ? Source : never

/** The old format without magic is read too; the option is missing in the declaration of tar-stream. */
const EXTRACT_OPTIONS = { allowUnknownFormat: true } as NonNullable<Parameters<typeof extract>[0]>

/** Unpacks a tar file, plain or inside gzip, in one pass; throws what concerns the whole archive, see unpackArchive. */
export async function unpackTar(
  file: string,
  isCompressed: boolean,
  target: UnpackTarget,
  options: UnpackOptions,
): Promise<UnpackedArchive> {
  const budget = createBudget(target.limits, (await stat(file)).size)
  const entries = extract(EXTRACT_OPTIONS)
  const source = createReadStream(file, { highWaterMark: 65_536 })
  const content = countBytes(isCompressed ? gunzipped(source) : source, budget)
  const feeding = pipeline(content, entries).then(() => null, unpackError)
  const result: UnpackedArchive = { outcome: 'unpacked', members: [], skipped: [], failedMembers: [] }
  const current: { name: MemberName | null } = { name: null }
  try {
    await readEntries(entries, { directory: target.directory, budget, options, current }, result)
    const late = await feeding
    if (late !== null) throw late
  } catch (thrown) {
    entries.destroy()
    const error = budget.refusal ?? firstCause(unpackError(thrown), await feeding)
    keepWhatIsRead(error, current.name, result)
  }
  return result
}

interface Reading {
  directory: string
  budget: UnpackBudget
  options: UnpackOptions
  current: { name: MemberName | null }
}

async function readEntries(
  entries: AsyncIterable<Entry>,
  { directory, budget, options, current }: Reading,
  result: UnpackedArchive,
): Promise<void> {
  let index = 0
  for await (const entry of entries) {
    index += 1
    budget.countEntries(1)
    const name = memberName(index, entry.header.name)
    const skip = skipReason(entry.header)
    if (skip !== null) {
      result.skipped.push({ path: name.path, reason: skip })
      entry.resume()
      continue
    }
    budget.checkDeclared(entry.header.size)
    current.name = name
    const member = await writeMember(directory, name, entry as AsyncIterable<Uint8Array>)
    current.name = null
    result.members.push(member)
    await options.onMember?.(member)
  }
}

/** When writing a member failed, that is the cause; otherwise what broke the stream says more than that it is broken. */
function firstCause(thrown: SheafError, feeding: SheafError | null): SheafError {
  return isOfOneMember(thrown) && feeding !== null ? feeding : thrown
}

/**
 * Behind damage a tar file cannot be read on: the members before it are kept, and the one it broke (or, between two,
 * the next one) is reported as failed, so that nobody takes the archive for complete.
 */
function keepWhatIsRead(error: SheafError, name: MemberName | null, result: UnpackedArchive): void {
  if ((error.code !== 'truncated' && error.code !== 'bad_zip') || result.members.length === 0) throw error
  const next = result.members.at(-1)!.index + 1
  const { index, path } = name ?? memberName(next, '')
  result.failedMembers.push({
    index,
    path,
    code: error.code,
    detail: `the archive cannot be read from here on: ${error.message}`,
  })
}

async function* countBytes(content: Bytes, budget: UnpackBudget): Bytes {
  for await (const chunk of content) {
    budget.take(chunk.byteLength)
    yield chunk
  }
}

function skipReason(header: Header): SkippedEntry['reason'] | null {
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      return null
    case 'directory':
      return 'directory'
    case 'symlink':
      return 'symbolic link'
    case 'link':
      return 'hard link'
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return 'device'
    default:
      return 'unknown kind'
  }
}

/** Unpacks a gzip file: as a tar file if it holds one, else its content is the one member. */
export async function unpackGzip(file: string, target: UnpackTarget, options: UnpackOptions): Promise<UnpackedArchive> {
  const head = await readHead(file)
  if (gzipType(head) !== 'application/gzip') return unpackTar(file, true, target, options)
  const budget = createBudget(target.limits, (await stat(file)).size)
  budget.countEntries(1)
  const content = countBytes(gunzipped(createReadStream(file)), budget)
  const name = memberName(1, gzipName(head, options.name))
  const member = await writeMember(target.directory, name, content).catch((error: unknown) => {
    throw budget.refusal ?? error
  })
  await options.onMember?.(member)
  return { outcome: 'unpacked', members: [member], skipped: [], failedMembers: [] }
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/** The name of the archive without `.gz`, else the name in the header (RFC 1952 §2.3.1, ISO 8859-1). */
function gzipName(head: Buffer, archive: string | undefined): string {
  const outer = /([^/\\]+)\.gz$/i.exec(archive ?? '')?.[1]
  if (outer !== undefined) return outer
  const [flags = 0] = head.subarray(3, 4)
  if ((flags & 8) === 0 || (flags & 4) !== 0) return ''
  const end = head.indexOf(0, 10)
  return end < 0 ? '' : head.toString('latin1', 10, end)
}
