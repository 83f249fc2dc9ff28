/** Which of the older encodings a text is in, by how plausible the decoded text looks. */

import { plausibility } from './text-plausibility.ts'

/** Labels of the WHATWG Encoding Standard; of equally plausible ones the first wins. */
const CANDIDATES = [
  'windows-1252',
  'shift_jis',
  'euc-jp',
  'euc-kr',
  'gb18030',
  'big5',
  'windows-1251',
  'koi8-r',
  'ibm866',
  'windows-1250',
  'iso-8859-2',
  'iso-8859-15',
  'windows-1254',
  'windows-1253',
  'iso-8859-7',
  'windows-1255',
  'windows-1256',
  'windows-874',
] as const

const MULTI_BYTE: ReadonlySet<string> = new Set(['shift_jis', 'euc-jp', 'euc-kr', 'gb18030', 'big5'])

/**
 * Below these the best decoding is still no language: texts reach 0.7 to 1.5, random bytes up to 0.39 in encodings that
 * give every byte a meaning, and 0.1 in those of several bytes, where they seldom are valid at all.
 */
const LEAST_PLAUSIBLE = 0.45
const LEAST_PLAUSIBLE_MULTI_BYTE = 0.2

/** With fewer bytes beyond ASCII the text is readable whatever they mean. */
const FEW = 0.2

/** The most plausible encoding of a sample that holds bytes beyond ASCII; null when none gives readable text. */
export function guessEncoding(sample: Uint8Array): string | null {
  let best: string = CANDIDATES[0]
  let bestScore = Number.NEGATIVE_INFINITY
  for (const encoding of CANDIDATES) {
    const text = decodeSample(sample, encoding)
    const score = text === null ? Number.NEGATIVE_INFINITY : plausibility(text)
    if (score > bestScore + 1e-9) {
      best = encoding
      bestScore = score
    }
  }
  const least = MULTI_BYTE.has(best) ? LEAST_PLAUSIBLE_MULTI_BYTE : LEAST_PLAUSIBLE
  return bestScore >= least || shareBeyondAscii(sample) < FEW ? best : null
}

function shareBeyondAscii(sample: Uint8Array): number {
  let beyond = 0
  for (const byte of sample) if (byte >= 0x80) beyond++
  return beyond / Math.max(1, sample.length)
}

/** Null when bytes have no meaning in the encoding; a character cut at the end of the sample is left open. */
function decodeSample(sample: Uint8Array, encoding: string): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(sample, { stream: true })
  } catch {
    return null
  }
}
