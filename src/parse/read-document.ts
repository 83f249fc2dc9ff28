/** Chooses the reader of a media type. */

import type { ByteSource, FormatReader, ReadingEnd, ReadingSink, ReadRequest } from './document-reader.ts'
import { readPdf } from './pdf/read-pdf.ts'
import { readDelimited } from './text/delimited.ts'
import { readHtml } from './text/html.ts'
import { readMarkdown } from './text/markdown.ts'
import { readPlainText } from './text/plain-text.ts'

const READERS: Readonly<Record<string, FormatReader>> = {
  'application/pdf': readPdf,
  'text/plain': readPlainText,
  'text/markdown': readMarkdown,
  'text/x-markdown': readMarkdown,
  'text/html': readHtml,
  'application/xhtml+xml': readHtml,
  'text/csv': readDelimited,
  'application/csv': readDelimited,
  'text/tab-separated-values': readDelimited,
}

function readerOf(mediaType: string): FormatReader | undefined {
  const name = mediaType.split(';', 1)[0]!.trim().toLowerCase()
  return Object.hasOwn(READERS, name) ? READERS[name] : undefined
}

/** Whether documents of this media type can be read; parameters such as charset do not matter. */
export function canRead(mediaType: string): boolean {
  return readerOf(mediaType) !== undefined
}

/**
 * Reads a document: pages go to the sink as soon as they are read, the end says what was found over all.
 * Never throws for what the bytes hold; errors of the source and the sink pass through.
 */
export async function readDocument(source: ByteSource, request: ReadRequest, sink: ReadingSink): Promise<ReadingEnd> {
  const reader = readerOf(request.mediaType)
  if (!reader) return { outcome: 'failed', code: 'unsupported_type', detail: request.mediaType.slice(0, 200) }
  return reader(source, request, sink)
}
