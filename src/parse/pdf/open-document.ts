/** Opens a PDF in the memory of PDFium. */

import type { ByteSource, FailedEnd } from '../document-reader.ts'
import { PDFIUM_ERROR, type Pdfium } from './pdfium.ts'

export interface OpenDocument {
  pdfium: Pdfium
  handle: number
  pageCount: number
  close(): void
}

const COPY_BYTES = 4 * 1024 * 1024

/**
 * Tries the empty password, then the given ones, as they are and prepared. Damaged and locked files come back as the reason they fail.
 */
export async function openDocument(
  pdfium: Pdfium,
  source: ByteSource,
  passwords: readonly string[],
): Promise<OpenDocument | FailedEnd> {
  const bytes = await copyIntoMemory(pdfium, source)
  if (bytes === 0)
    return { outcome: 'failed', code: 'parser_memory', detail: 'the file does not fit into the memory of the reader' }
  let handle = 0
  let error = 0
  for (const password of new Set(['', ...passwords, ...passwords.map(preparePassword)])) {
    handle = withCString(pdfium, password, (pointer) => pdfium.calls.FPDF_LoadMemDocument(bytes, source.size, pointer))
    error = handle === 0 ? pdfium.calls.FPDF_GetLastError() : 0
    if (error !== PDFIUM_ERROR.password) break
  }
  if (handle === 0) {
    const failure = explainFailure(
      error,
      passwords.length > 0,
      Buffer.from(pdfium.memory.HEAPU8.buffer, bytes, source.size),
    )
    pdfium.calls.free(bytes)
    return failure
  }
  const close = () => {
    pdfium.calls.FPDF_CloseDocument(handle)
    pdfium.calls.free(bytes)
  }
  return { pdfium, handle, pageCount: Math.max(0, pdfium.calls.FPDF_GetPageCount(handle)), close }
}

/** Characters SASLprep maps to nothing (RFC 3454, table B.1). */
const MAPPED_TO_NOTHING =
  /\u00ad|\u034f|\u1806|\u180b|\u180c|\u180d|\u200b|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/gu

/** SASLprep (RFC 4013), which newer PDFs ask for: in the main NFKC without the characters that are mapped to nothing. */
function preparePassword(password: string): string {
  return password.replace(MAPPED_TO_NOTHING, '').normalize('NFKC')
}

/** Copies in pieces, so that the file is not held twice outside the memory of PDFium. 0 when there is no room. */
async function copyIntoMemory(pdfium: Pdfium, source: ByteSource): Promise<number> {
  const pointer = pdfium.calls.malloc(Math.max(1, source.size))
  if (pointer === 0) return 0
  for (let offset = 0; offset < source.size;) {
    const piece = await source.read(offset, Math.min(COPY_BYTES, source.size - offset))
    if (piece.length === 0) break
    pdfium.memory.HEAPU8.set(piece, pointer + offset)
    offset += piece.length
  }
  return pointer
}

/** Passes a text as UTF-8 with an end mark; PDFium tries UTF-8 and Latin-1 forms of passwords itself. */
export function withCString<T>(pdfium: Pdfium, text: string, use: (pointer: number) => T): T {
  const bytes = new TextEncoder().encode(`${text}\0`)
  const pointer = pdfium.calls.malloc(bytes.length)
  pdfium.memory.HEAPU8.set(bytes, pointer)
  try {
    return use(pointer)
  } finally {
    pdfium.calls.free(pointer)
  }
}

function explainFailure(error: number, hadPasswords: boolean, file: Buffer): FailedEnd {
  if (error === PDFIUM_ERROR.password)
    return { outcome: 'failed', code: hadPasswords ? 'password_wrong' : 'password_required' }
  if (error === PDFIUM_ERROR.security) {
    return {
      outcome: 'failed',
      code: 'unsupported_type',
      detail: 'the PDF is protected by a security handler that is not supported',
    }
  }
  // A PDF ends with %%EOF; writers that were interrupted leave the header but no end (ISO 32000-1, 7.5.5).
  const isCut = file.subarray(0, 1024).includes('%PDF-') && !file.subarray(-2048).includes('%%EOF')
  return { outcome: 'failed', code: isCut ? 'truncated' : 'bad_pdf' }
}
