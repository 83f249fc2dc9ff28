import { constants, gunzipSync } from 'node:zlib'
import { TAR_GZIP } from './sniff-names.ts'

/** So much of a compressed file is inflated to see whether it holds a tar file: 4 kB give 4 MB at most. */
const PEEK_BYTES = 4096

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b && head[2] === 8
}

/** True for a tar header (POSIX ustar, GNU, or the old format without magic): a name, and the right checksum. */
export function isTar(head: Uint8Array): boolean {
  if (head.length < 512 || head[0] === 0) return false
  const field = Buffer.from(head.subarray(148, 156)).toString('latin1')
  if (!/^ *[0-7]+[\0 ]*$/.test(field)) return false
  let sum = 8 * 0x20
  for (let at = 0; at < 512; at += 1) if (at < 148 || at >= 156) sum += head[at]!
  return sum === Number.parseInt(field, 8)
}

/** Tells a compressed tar file from other gzip content by inflating a little of it. */
export function gzipType(head: Uint8Array): string {
  return isTar(inflateStart(head)) ? TAR_GZIP : 'application/gzip'
}

function inflateStart(head: Uint8Array): Uint8Array {
  try {
    return gunzipSync(head.subarray(0, PEEK_BYTES), { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 8 << 20 })
  } catch {
    return new Uint8Array(0)
  }
}
