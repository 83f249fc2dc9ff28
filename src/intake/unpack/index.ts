export { isArchive, unpackArchive } from './unpack-archive.ts'
export {
  DEFAULT_UNPACK_LIMITS,
  type FailedMember,
  type SkippedEntry,
  type UnpackedMember,
  type UnpackLimits,
  type UnpackOptions,
  type UnpackResult,
} from './unpack-result.ts'
