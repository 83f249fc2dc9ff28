/**
 * How much a decoded text looks like a language: the mean weight of its characters beyond ASCII. Frequent letters of a
 * script weigh more than rare ones; letters of two scripts in one word, capitals inside words, control and private-use
 * characters weigh against it. Frequent letters: the usual letter-frequency tables of each language.
 */

const FREQUENT = new Set([
  ...'оеаинтсрвл', // Russian and its neighbours
  ...'αεοιντσηρκπυλμςάέίόή', // Greek
  ...'יוהלאמרתבש', // Hebrew
  ...'اليمنورتبةعدسفهك', // Arabic
  ...'éèàüöäßñçáíóúãõâêîôåøæëï', // western Europe
  ...'ąęłśżźćńěščřžýůőűțșăđ', // central Europe
  ...'ıişğ', // Turkish
  ...'าานรอกเงมยลวดทสตะปบคหแจพชขใไโผธศฐ่้ิีุู', // Thai
  ...'的一是不了在人有我他這这中大来來上國国到說说們们為为子和你地出道也時时年得就那要下以生會会自着去之過过家學学對对可她里裡后後小麼么',
  ...'日本語年月人大者会社事務学行的用第一二三十出分時間中',
  ...'이다는을의에가고하지로한도은그사를기나인리어들아서자있대해정시부수보전스제일',
])

const LATIN = 1
const CYRILLIC = 2
const GREEK = 3
const HEBREW = 4
const ARABIC = 5
const THAI = 6
const KANA = 7
const HANGUL = 8
const IDEOGRAPH = 9
const PUNCTUATION = 10
const ODD = 11

/** Upper bounds of code ranges and the script below each. */
const RANGES: readonly (readonly [number, number])[] = [
  [0x9f, ODD],
  [0xbf, PUNCTUATION],
  [0x24f, LATIN],
  [0x36f, ODD],
  [0x3ff, GREEK],
  [0x52f, CYRILLIC],
  [0x58f, ODD],
  [0x5ff, HEBREW],
  [0x6ff, ARABIC],
  [0xdff, ODD],
  [0xe7f, THAI],
  [0x1fff, ODD],
  [0x203f, PUNCTUATION],
  [0x20ab, ODD],
  [0x20ac, PUNCTUATION],
  [0x2115, ODD],
  [0x2122, PUNCTUATION],
  [0x2fff, ODD],
  [0x3020, PUNCTUATION],
  [0x3040, ODD],
  [0x30ff, KANA],
  [0x33ff, ODD],
  [0x9fff, IDEOGRAPH],
  [0xabff, ODD],
  [0xd7a3, HANGUL],
  [0xfeff, ODD],
  [0xff5e, PUNCTUATION],
  [0xffff, ODD],
]

function scriptOf(code: number): number {
  if (code < 0x80) return (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a ? LATIN : 0
  for (const [last, script] of RANGES) if (code <= last) return script
  return ODD
}

/** Symbols of the Latin-1 block that hardly any text uses and that stand where other encodings have letters. */
const RARE_SYMBOLS = new Set('¡¢¤¥¦¨ª¬¯±²³µ¶¸¹º¿×÷')

/** A character with what its weight depends on. */
interface Seen {
  character: string
  script: number
  isLower: boolean
  isAscii: boolean
}

const START: Seen = { character: ' ', script: 0, isLower: false, isAscii: true }

/** Mean weight of the characters beyond ASCII, about −3 to 1.5. */
export function plausibility(text: string): number {
  let total = 0
  let counted = 0
  let previous = START
  for (const character of text) {
    const code = character.codePointAt(0)!
    const seen = {
      character,
      script: scriptOf(code),
      isLower: character !== character.toUpperCase(),
      isAscii: code < 0x80,
    }
    if (!seen.isAscii) {
      total += weigh(seen, previous)
      counted++
    } else if (mixesScripts(seen, previous)) total -= 1
    previous = seen
  }
  return counted === 0 ? 0 : total / counted
}

/** Scripts whose letters do not stand beside letters of another inside a word. */
function isWordScript(script: number): boolean {
  return script >= LATIN && script <= THAI
}

function mixesScripts(seen: Seen, previous: Seen): boolean {
  return isWordScript(seen.script) && isWordScript(previous.script) && previous.script !== seen.script
}

function isCapitalInside({ character, isLower }: Seen, previous: Seen): boolean {
  return previous.isLower && !isLower && character !== character.toLowerCase()
}

function weigh(seen: Seen, previous: Seen): number {
  const { character, script } = seen
  if (script === ODD) return character >= '\uff61' && character <= '\uff9f' ? -0.6 : -3
  if (script === PUNCTUATION) return RARE_SYMBOLS.has(character) ? -0.5 : 0.7
  if (mixesScripts(seen, previous) || isCapitalInside(seen, previous)) return -1.5
  if (script === KANA) return 1.4
  const weight = FREQUENT.has(character.toLowerCase()) ? 1.5 : 0.4
  // Two accented Latin letters in a row are rare; in a wrong decoding of another script they are the rule.
  return script === LATIN && previous.script === LATIN && !previous.isAscii ? weight - 1.6 : weight
}
