import { SheafError } from '../../core/index.ts'

/** Bytes from `start` (inclusive) to `end` (exclusive). */
export interface ByteRange {
  start: number
  end: number
}

/**
 * Reads a Range field (RFC 9110, 14.2) for content of `size` bytes. One range is served; several, other units and what
 * is malformed are left unheard (null: the whole content). Throws range_not_satisfiable.
 */
export function readRange(field: string | undefined, size: number): ByteRange | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(field?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  const [first, last] = [match[1]!, match[2]!]
  const range =
    first === ''
      ? { start: Math.max(0, size - Number(last)), end: size }
      : { start: Number(first), end: last === '' ? size : Math.min(size, Number(last) + 1) }
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  if (range.start >= size || (first === '' && last === '0'))
    throw new SheafError('range_not_satisfiable', `The content has ${size} bytes.`, { extra: { size } })
  return range
}
