/** What all text formats share: bytes → text → blocks → pages. */

import type { ReadingIssue } from '../../core/index.ts'
import { type FoundBlock, type PAGE_BREAK, writeBlocks } from '../block-writer.ts'
import { cleanText } from '../clean-text.ts'
import type { FormatReader } from '../document-reader.ts'
import { createDocumentText, finishReading, type ReadFacts } from '../document-text.ts'
import { decodeText } from './decode-text.ts'

/** What one text format makes of its text. Facts may be filled while the blocks are taken. */
export interface TextFormat {
  blocks: Iterable<FoundBlock | typeof PAGE_BREAK>
  facts: Pick<ReadFacts, 'title' | 'declaredLanguage' | 'metadata'> & { issues?: ReadingIssue[] }
}

/** Markup is longer than its text; bytes beyond this multiple of the text limit are not read. */
const BYTES_PER_TEXT_BYTE = 4
const LEAST_BYTES = 1024 * 1024
/** A string of V8 holds at most 2^29 units. */
const MOST_BYTES = 256 * 1024 * 1024

/** Makes a reader out of a function from text to blocks; `declaredEncoding` looks for an encoding the file names. */
export function textReader(
  format: (text: string, mediaType: string) => TextFormat,
  declaredEncoding: (head: string) => string | null = () => null,
): FormatReader {
  return async (source, request, sink) => {
    const limit = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, request.maxTextBytes * BYTES_PER_TEXT_BYTE))
    const bytes = source.size <= limit ? await source.bytes() : await source.read(0, limit)
    const head = Buffer.from(bytes.subarray(0, 4_096)).toString('latin1')
    const decoded = decodeText(bytes, declaredEncoding(head))
    if (!decoded)
      return { outcome: 'failed', code: 'unsupported_type', detail: 'the content is not text in any known encoding' }
    const { blocks, facts } = format(cleanText(decoded.text), request.mediaType)
    const text = createDocumentText(request.maxTextBytes)
    const pages = await writeBlocks(blocks, text, sink)
    const issues = [...(facts.issues ?? [])]
    if (decoded.isGuessed) {
      issues.push({
        code: 'encoding_guessed',
        message: `The encoding is not stated; the text was read as ${decoded.encoding}.`,
      })
    }
    if (source.size > limit && !text.isFull()) {
      issues.push({
        code: 'text_limits',
        page: pages,
        message: 'The document holds more text than is allowed; the rest was left out.',
      })
    }
    return finishReading(text, {
      ...facts,
      metadata: { ...facts.metadata, encoding: decoded.encoding },
      pages,
      failedPages: [],
      issues,
    })
  }
}
