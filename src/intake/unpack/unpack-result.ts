import type { ErrorCode } from '../../core/index.ts'

/** What an archive may hold. Sizes in bytes. */
export interface UnpackLimits {
  /** Entries of any kind. */
  entries: number
  /** Content of all members together. */
  bytes: number
  /** How many times larger than the archive its content may be; looked at from `ratioFromBytes` of content on. */
  ratio: number
  ratioFromBytes: number
  /** How many archives may lie inside each other: an archive of this depth is not opened. */
  depth: number
}

export const DEFAULT_UNPACK_LIMITS: UnpackLimits = {
  entries: 10_000,
  bytes: 2 * 2 ** 30,
  ratio: 200,
  ratioFromBytes: 10_000_000,
  depth: 3,
}

export interface UnpackOptions {
  /** Tried in this order on every encrypted member. */
  passwords: readonly string[]
  /** The depth of the archive itself: 0 for an uploaded one, one more than its parent for a member. */
  depth?: number
  /** The name of the archive; names the one member of a plain gzip file. */
  name?: string
  /** Called after each member is written. The archive can still fail later; its files are then removed. */
  onMember?: (member: UnpackedMember) => void | Promise<void>
}

/** Where members are written and how much. */
export interface UnpackTarget {
  directory: string
  limits: UnpackLimits
}

/** A member that was written to a file. */
export interface UnpackedMember {
  /** The place in the archive, from 1, counting entries of every kind. What keeps equal names apart. */
  index: number
  /** A label, see cleanLabel; `member-000012` where the archive gives no usable name. */
  path: string
  /** The name as the archive gives it, where it differs from `path`; at most 4,096 characters. */
  rawName?: string
  bytes: number
  file: string
}

/** An entry that is no document: a directory, link or device. */
export interface SkippedEntry {
  path: string
  reason: 'directory' | 'symbolic link' | 'hard link' | 'device' | 'unknown kind'
}

/** A member that could not be read although the archive could. */
export interface FailedMember {
  index: number
  path: string
  code: ErrorCode
  detail: string
}

export interface UnpackedArchive {
  outcome: 'unpacked'
  members: UnpackedMember[]
  skipped: SkippedEntry[]
  failedMembers: FailedMember[]
}
export interface FailedArchive {
  outcome: 'failed'
  code: ErrorCode
  detail: string
}
export type UnpackResult = UnpackedArchive | FailedArchive
