/** Natural language of a text, by the n-gram detector `eld`. */

const SAMPLE_BYTES = 4_096
/** Fewer letters fit several languages equally well, whatever the detector says. */
const FEWEST_LETTERS = 24

/** ISO 639-1 code from a bounded sample of the text; null when the detector is not sure. */
export async function detectLanguage(text: string): Promise<string | null> {
  const sample = Buffer.from(text.slice(0, SAMPLE_BYTES)).subarray(0, SAMPLE_BYTES).toString()
  if ((sample.match(/\p{L}/gu)?.length ?? 0) < FEWEST_LETTERS) return null
  // Loaded on first use: its tables take 60 MB and 0.1 s, which a reader of scans never needs.
  const { eld } = await import('eld/extrasmall')
  const result = eld.detect(sample)
  return result.language !== '' && result.isReliable() ? result.language : null
}
