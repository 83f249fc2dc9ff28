/** HTML → tags and text, one after another. Built on the tokenizer alone: a parser that keeps open elements is slow on hostile nesting. */

import { Tokenizer } from 'htmlparser2'

export type HtmlToken =
  | { kind: 'open'; name: string; attributes: Record<string, string> }
  | { kind: 'close'; name: string }
  | { kind: 'text'; text: string }

/** The tokenizer is fed in pieces so that few tokens wait at a time. */
const PIECE_UNITS = 32_768
const MOST_ATTRIBUTES = 50

/** Character references are resolved, names are in lower case; comments and declarations are left out. */
export function* htmlTokens(html: string): Generator<HtmlToken> {
  let tokens: HtmlToken[] = []
  let name = ''
  let attributes: Record<string, string> = {}
  let attributeCount = 0
  let attributeName = ''
  let value = ''
  const open = () => tokens.push({ kind: 'open', name, attributes })
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      ontext: (start, end) => tokens.push({ kind: 'text', text: html.slice(start, end) }),
      ontextentity: (code) => tokens.push({ kind: 'text', text: String.fromCodePoint(code) }),
      onopentagname: (start, end) => {
        name = html.slice(start, Math.min(end, start + 100)).toLowerCase()
        attributes = Object.create(null) as Record<string, string>
        attributeCount = 0
      },
      onattribname: (start, end) => {
        attributeName = html.slice(start, Math.min(end, start + 100)).toLowerCase()
        value = ''
      },
      onattribdata: (start, end) => {
        if (value.length < 2_000) value += html.slice(start, Math.min(end, start + 2_000))
      },
      onattribentity: (code) => {
        if (value.length < 2_000) value += String.fromCodePoint(code)
      },
      onattribend: () => {
        if (attributeCount++ < MOST_ATTRIBUTES) attributes[attributeName] ??= value
      },
      onopentagend: open,
      onselfclosingtag: open,
      onclosetag: (start, end) =>
        tokens.push({ kind: 'close', name: html.slice(start, Math.min(end, start + 100)).toLowerCase() }),
      oncdata: (start, end) => tokens.push({ kind: 'text', text: html.slice(start, end) }),
      oncomment: () => {},
      ondeclaration: () => {},
      onprocessinginstruction: () => {},
      onend: () => {},
    },
  )
  for (let start = 0; start < html.length; start += PIECE_UNITS) {
    tokenizer.write(html.slice(start, start + PIECE_UNITS))
    yield* tokens
    tokens = []
  }
  tokenizer.end()
  yield* tokens
}
