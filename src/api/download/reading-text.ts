import { Transform, type Readable, type TransformCallback } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { createZstdDecompress } from 'node:zlib'

/** The text of a stored reading (zstd, JSON of `sheaf.document/1`) as a stream of UTF-8, however long the document is. */
export function readingText(stored: Readable): Readable {
  const decompressed = stored.pipe(createZstdDecompress())
  const text = decompressed.pipe(topLevelText('text'))
  stored.on('error', (error) => decompressed.destroy(error))
  decompressed.on('error', (error) => text.destroy(error))
  text.on('close', () => {
    decompressed.destroy()
    stored.destroy()
  })
  return text
}

/**
 * Picks one string value of the outermost object out of JSON bytes and unescapes it on the way. It follows nesting and
 * strings only, as the JSON is our own; the value may be larger than a string can be.
 */
export function topLevelText(name: string): Transform {
  const scan = createScan(name)
  const decoder = new StringDecoder('utf8')
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      done(null, Buffer.from(scan(decoder.write(chunk))))
    },
  })
}

type Scan = (json: string) => string

function createScan(name: string): Scan {
  let depth = 0
  let isKey = false
  let inside: 'none' | 'other' | 'key' | 'wanted' = 'none'
  let key = ''
  let lastKey = ''
  let carried = ''
  const enter = (): void => {
    inside = depth !== 1 ? 'other' : isKey ? 'key' : lastKey === name ? 'wanted' : 'other'
    key = ''
  }
  const leave = (): void => {
    if (inside === 'key') lastKey = key
    inside = 'none'
  }
  const outside = (character: string): void => {
    if (character === '"') enter()
    else if (character === '{' || character === '[') isKey = ++depth === 1
    else if (character === '}' || character === ']') depth -= 1
    else if (depth === 1 && character === ',') isKey = true
    else if (depth === 1 && character === ':') isKey = false
  }
  return (given) => {
    const json = carried + given
    carried = ''
    let wanted = ''
    for (let at = 0; at < json.length;) {
      if (inside === 'none') {
        outside(json[at++]!)
        continue
      }
      const end = plainEnd(json, at)
      const plain = json.slice(at, end)
      at = end
      const escape = at < json.length && json[at] === '\\' ? readEscape(json, at) : null
      if (escape === 'cut') carried = json.slice(at)
      const piece = plain + (escape !== null && escape !== 'cut' ? escape.text : '')
      if (inside === 'wanted') wanted += piece
      else if (inside === 'key') key += piece
      if (escape === 'cut') break
      if (escape !== null) at += escape.length
      else if (at < json.length) {
        leave()
        at += 1
      }
    }
    return wanted
  }
}

/** Where the next quote or backslash stands. */
function plainEnd(json: string, from: number): number {
  for (let at = from; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === 0x22 || code === 0x5c) return at
  }
  return json.length
}

/** One escape; `cut` when the rest of it has not arrived. */
function readEscape(json: string, at: number): { text: string; length: number } | 'cut' {
  if (at + 1 >= json.length) return 'cut'
  if (json[at + 1] !== 'u') return { text: JSON.parse(`"${json.slice(at, at + 2)}"`) as string, length: 2 }
  if (at + 6 > json.length) return 'cut'
  const unit = Number.parseInt(json.slice(at + 2, at + 6), 16)
  return { text: String.fromCharCode(unit), length: 6 }
}
