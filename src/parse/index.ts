export type {
  ByteSource,
  FailedEnd,
  FormatReader,
  ReadEnd,
  ReadingEnd,
  ReadingSink,
  ReadRequest,
} from './document-reader.ts'
export { READER_VERSION } from './document-reader.ts'
export { readerMemoryBytes } from './pdf/pdfium.ts'
export { canRead, readDocument } from './read-document.ts'
export { renderMarkdown, renderText, type RenderOptions } from './render-markdown.ts'
export { readingJsonWriter, type ReadingJsonWriter } from './write-json.ts'
