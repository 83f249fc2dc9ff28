/** Collects the reading-order text of a document block by block, up to a limit. */

import type { ReadingIssue } from '../core/index.ts'
import type { ReadEnd } from './document-reader.ts'
import { countWords } from './count-words.ts'
import { detectLanguage } from './detect-language.ts'

/** What stands between two blocks in the text of a document. */
const BLOCK_SEPARATOR = '\n\n'

export interface DocumentText {
  /** Offset where the next block will start. */
  nextStart(): number
  /** Adds the text of one block; false when it is over the limit, then nothing more is taken. */
  add(block: string): boolean
  isFull(): boolean
  /** The first characters, enough to tell the language. */
  sample(): string
  count(): { words: number; characters: number }
  whole(): string
}

/** `maxBytes` caps the text in bytes of UTF-8; the text is cut after the last block that fits. */
export function createDocumentText(maxBytes: number): DocumentText {
  const pieces: string[] = []
  let length = 0
  let bytes = 0
  let words = 0
  let characters = 0
  let sample = ''
  let isFull = false
  const separator = () => (pieces.length === 0 ? 0 : BLOCK_SEPARATOR.length)

  function add(block: string): boolean {
    const size = Buffer.byteLength(block) + separator()
    if (isFull || bytes + size > maxBytes) {
      isFull = true
      return false
    }
    const counted = countWords(block)
    words += counted.words
    characters += counted.characters + separator()
    bytes += size
    length += block.length + separator()
    pieces.push(block)
    if (sample.length < 2_000) sample += `${block.slice(0, 2_000)}\n`
    return true
  }

  return {
    nextStart: () => length + separator(),
    add,
    isFull: () => isFull,
    sample: () => sample,
    count: () => ({ words, characters }),
    whole: () => pieces.join(BLOCK_SEPARATOR),
  }
}

/** What a reader knows at its end beside the text itself. */
export interface ReadFacts {
  title: string | null
  /** The language the document claims; used when the text does not tell. */
  declaredLanguage?: string | null
  metadata: Record<string, string>
  pages: number
  failedPages: number[]
  issues: ReadingIssue[]
}

/** Makes the end of a document that was read; adds the issues that every format shares. */
export async function finishReading(text: DocumentText, facts: ReadFacts): Promise<ReadEnd> {
  const { title, metadata, pages, failedPages } = facts
  const issues = [...facts.issues]
  if (text.isFull()) {
    issues.push({
      code: 'text_limits',
      page: pages,
      message: 'The document holds more text than is allowed; the rest was left out.',
    })
  } else if (text.nextStart() === 0) {
    issues.push({ code: 'no_text', message: 'No text was found in the document.' })
  }
  const language = (await detectLanguage(text.sample())) ?? languageCode(facts.declaredLanguage)
  return { outcome: 'read', title, language, metadata, text: text.whole(), pages, failedPages, ...text.count(), issues }
}

/** "de-AT" → "de"; null when it is no language tag. */
function languageCode(tag: string | null | undefined): string | null {
  return /^([a-z]{2,3})(?:[-_]|$)/i.exec(tag ?? '')?.[1]?.toLowerCase() ?? null
}
