/**
 * Names of uploaded files and archive members are labels: they are shown, searched and exported, and never used as
 * a path on this machine.
 */

/** The most characters (code points) of a label. */
export const LABEL_CHARACTERS = 1024

const DRIVE = /^(?:[A-Za-z]:)+/
const CONTROL = /\p{Cc}/gu
const BIDI_OR_LINE_CONTROL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g

/**
 * The relative path label of an uploaded or archive name, parted by `/`, or null when nothing usable is left.
 *
 * Both separators count; `.`, `..`, empty and blank parts, drive letters and the start of an absolute path are dropped;
 * control characters (also NUL and line ends) and lone surrogates become U+FFFD; at most 1,024 characters are kept,
 * cut between code points. Everything else stays as given: leading dots, reserved names, markup, emoji.
 */
export function cleanLabel(path: string): string | null {
  // a code point has at most two code units; what lies far behind the limit is not worth cleaning
  const shown = path
    .slice(0, 64 * LABEL_CHARACTERS)
    .toWellFormed()
    .replace(CONTROL, '\uFFFD')
    .replace(/^[\\/]{2}[?.][\\/]/, '')
  const cut = cutLabel(keepParts(shown))
  return cut === '' ? null : cut
}

/** The form in which two labels are compared: Unicode normalisation form C (UAX 15). Letter case counts. */
export function labelKey(path: string): string {
  return path.normalize('NFC')
}

/** The label for display: characters that turn or break the line (UAX 9, U+2028) are written as `\u202E`. */
export function showLabel(path: string): string {
  return path.replace(
    BIDI_OR_LINE_CONTROL,
    (character) => `\\u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`,
  )
}

function keepParts(path: string): string {
  const kept: string[] = []
  for (const given of path.split(/[\\/]/)) {
    const part = kept.length === 0 ? given.replace(DRIVE, '') : given
    if (part.trim() !== '' && part !== '.' && part !== '..') kept.push(part)
  }
  return kept.join('/')
}

/** Cutting may leave a part such as `..` at the end, so the parts are looked at once more. */
function cutLabel(label: string): string {
  if (label.length <= LABEL_CHARACTERS) return label
  return keepParts(Array.from(label).slice(0, LABEL_CHARACTERS).join(''))
}
