/** Text or not, and in which encoding; only as far as the type needs it. */

/** A share of control characters that no text has. */
const MAX_CONTROL_SHARE = 0.002
/** TAB, LF, VT, FF, CR, ESC (ISO-2022), BEL, BS, and the end mark of DOS. */
const TEXT_CONTROLS = new Set([7, 8, 9, 10, 11, 12, 13, 26, 27])

/**
 * The beginning as text, or null when it is not text. `whole` says that the given bytes are all there are; otherwise a
 * character cut at the end does no harm. 8-bit text without a known encoding is read as windows-1252, which keeps
 * what matters here (ASCII) in place.
 */
export function textOf(head: Uint8Array, whole: boolean): string | null {
  const encoding = markedEncoding(head) ?? unmarkedUtf16(head)
  if (encoding !== null) return decode(head, encoding, whole, false)
  if (!looksLikeText(head)) return null
  return decode(head, 'utf-8', whole, true) ?? (isEbcdic(head) ? null : decode(head, 'windows-1252', whole, false))
}

function decode(bytes: Uint8Array, encoding: string, whole: boolean, fatal: boolean): string | null {
  try {
    return new TextDecoder(encoding, { fatal }).decode(bytes, { stream: !whole })
  } catch {
    return null
  }
}

function markedEncoding(head: Uint8Array): string | null {
  const [a, b, c] = head
  if (a === 0xef && b === 0xbb && c === 0xbf) return looksLikeText(head) ? 'utf-8' : null
  if (a === 0xff && b === 0xfe && isUtf16Text(head, 0)) return 'utf-16le'
  return a === 0xfe && b === 0xff && isUtf16Text(head, 1) ? 'utf-16be' : null
}

/** After a byte order mark: few units are control characters. `low` is where the low byte of a unit stands. */
function isUtf16Text(head: Uint8Array, low: 0 | 1): boolean {
  let controls = 0
  for (let at = 2; at + 1 < head.length; at += 2) {
    if (head[at + 1 - low] === 0 && head[at + low]! < 32 && !TEXT_CONTROLS.has(head[at + low]!)) controls += 1
  }
  return controls <= (head.length / 2) * MAX_CONTROL_SHARE
}

/** UTF-16 without a mark, told by the zero half of Latin letters. */
function unmarkedUtf16(head: Uint8Array): string | null {
  const pairs = Math.min(head.length, 4096) >> 1
  if (pairs < 4) return null
  const zeros = [0, 0]
  for (let at = 0; at < pairs * 2; at += 1) if (head[at] === 0) zeros[at & 1]! += 1
  const [even, odd] = zeros as [number, number]
  if (odd > pairs * 0.7 && even === 0 && isUtf16Text(head, 0)) return 'utf-16le'
  return even > pairs * 0.7 && odd === 0 && isUtf16Text(head, 1) ? 'utf-16be' : null
}

function looksLikeText(head: Uint8Array): boolean {
  let controls = 0
  for (const byte of head) {
    if (byte === 0) return false
    if ((byte < 32 && !TEXT_CONTROLS.has(byte)) || byte === 127) controls += 1
  }
  return controls <= head.length * MAX_CONTROL_SHARE
}

/** EBCDIC has its space at 0x40, and hardly a byte at 0x20; read as Latin letters it would be noise. */
function isEbcdic(head: Uint8Array): boolean {
  const counts = new Uint32Array(256)
  for (const byte of head) counts[byte]! += 1
  return (
    counts[0x40]! > head.length * 0.08 && counts[0x40] === Math.max(...counts) && counts[0x20]! < head.length * 0.01
  )
}
