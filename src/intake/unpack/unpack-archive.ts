import { rm } from 'node:fs/promises'
import { SheafError } from '../../core/index.ts'
import { TAR_GZIP } from '../sniff-names.ts'
import { unpackError } from './unpack-errors.ts'
import {
  DEFAULT_UNPACK_LIMITS,
  type UnpackedArchive,
  type UnpackedMember,
  type UnpackLimits,
  type UnpackOptions,
  type UnpackResult,
  type UnpackTarget,
} from './unpack-result.ts'
import { unpackGzip, unpackTar } from './unpack-tar.ts'
import { unpackZip } from './unpack-zip.ts'

const ARCHIVE_TYPES = new Set(['application/zip', 'application/x-tar', TAR_GZIP, 'application/gzip'])

/** True for the media types that unpackArchive opens; documents that are ZIP files inside are not among them. */
export function isArchive(mediaType: string): boolean {
  return ARCHIVE_TYPES.has(mediaType)
}

/**
 * Unpacks an archive into files named by their place (`000001`, …) in an existing directory; names of members are
 * labels and never become paths. Streams: the memory needed does not depend on the sizes. Limits that are left out are
 * as in DEFAULT_UNPACK_LIMITS.
 *
 * Never throws. The outcome is `failed`, with every file removed again, for: `archive_limits` (declared or real counts
 * and sizes, overlapping entries, false sizes, depth), `password_required`, `password_wrong`, `bad_zip`, `truncated`,
 * `unsupported_type`, `no_space`, `write_failed`. A member that is damaged alone is in `failedMembers`, the rest is kept.
 */
export async function unpackArchive(
  file: string,
  mediaType: string,
  outDirectory: string,
  limits: Partial<UnpackLimits>,
  options: UnpackOptions,
): Promise<UnpackResult> {
  const written: UnpackedMember[] = []
  const onMember = async (member: UnpackedMember) => {
    written.push(member)
    await options.onMember?.(member)
  }
  try {
    const complete = { ...DEFAULT_UNPACK_LIMITS, ...limits }
    assertDepth(options.depth ?? 0, complete)
    return await unpackByType(file, mediaType, { directory: outDirectory, limits: complete }, { ...options, onMember })
  } catch (thrown) {
    const error = unpackError(thrown)
    for (const member of written) await rm(member.file, { force: true }).catch(() => {})
    return { outcome: 'failed', code: error.code, detail: error.message }
  }
}

function assertDepth(depth: number, limits: UnpackLimits): void {
  if (depth < limits.depth) return
  throw new SheafError('archive_limits', `the archive lies inside ${depth} others`)
}

function unpackByType(
  file: string,
  mediaType: string,
  target: UnpackTarget,
  options: UnpackOptions,
): Promise<UnpackedArchive> {
  switch (mediaType) {
    case 'application/zip':
      return unpackZip(file, target, options)
    case 'application/x-tar':
      return unpackTar(file, false, target, options)
    case TAR_GZIP:
      return unpackTar(file, true, target, options)
    case 'application/gzip':
      return unpackGzip(file, target, options)
    default:
      throw new SheafError('unsupported_type', `archives of type ${mediaType} cannot be opened`)
  }
}
