/** What the reader child needs of this folder: nothing here touches the database. */
export { HEAD_BYTES, sniffMediaType, TAIL_BYTES } from './sniff.ts'
export { DEFAULT_UNPACK_LIMITS, isArchive, unpackArchive } from './unpack/index.ts'
