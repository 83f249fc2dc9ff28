/** Writes a Reading as JSON piece by piece, pages first, so that no long document is held twice. */

import type { Page, Reading } from '../core/index.ts'
import type { ReadEnd } from './document-reader.ts'

const PIECE_UNITS = 65_536

export interface ReadingJsonWriter {
  page(page: Page): void
  /** Writes the rest; nothing may be written afterwards. */
  end(end: ReadEnd): void
}

export function readingJsonWriter(
  write: (piece: string) => void,
  head: Pick<Reading, 'path' | 'mediaType' | 'sha256'>,
): ReadingJsonWriter {
  const { path, mediaType, sha256 } = head
  write(`${JSON.stringify({ schema: 'sheaf.document/1', path, mediaType, sha256 }).slice(0, -1)},"pages":[`)
  let isFirst = true
  return {
    page(page) {
      write((isFirst ? '\n' : ',\n') + JSON.stringify(page))
      isFirst = false
    },
    end({ language, title, metadata, issues, text }) {
      write(`\n],${JSON.stringify({ language, title, metadata, issues }).slice(1, -1)},"text":"`)
      for (let start = 0; start < text.length;) {
        const end = pieceEnd(text, start)
        write(JSON.stringify(text.slice(start, end)).slice(1, -1))
        start = end
      }
      write('"}\n')
    },
  }
}

/** Never between the two halves of a surrogate pair: each would be escaped for itself. */
function pieceEnd(text: string, start: number): number {
  const end = Math.min(start + PIECE_UNITS, text.length)
  return end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00 ? end + 1 : end
}
