/** What text may not hold: PostgreSQL and JSON refuse U+0000 and lone surrogates; other control characters are noise. */

// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const NOISE = /[\u0000-\u0008\u000b\u000e-\u001f\u007f\ufeff\ufffe\uffff]/g

/** Drops control characters (but tab, line feed, form feed, carriage return), byte order marks and lone surrogates. */
export function cleanText(text: string): string {
  const withoutNoise = text.replace(NOISE, '')
  return withoutNoise.isWellFormed() ? withoutNoise : dropLoneSurrogates(withoutNoise)
}

function dropLoneSurrogates(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '')
}

/** One line of text: runs of white space become one space, none at the ends. */
export function collapseSpace(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
