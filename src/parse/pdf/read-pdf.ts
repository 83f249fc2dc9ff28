/** PDF → pages, one after another; nothing of a page is kept but its text. */

import type { Page, ReadingIssue } from '../../core/index.ts'
import type { ByteSource, FailedEnd, ReadingEnd, ReadingSink, ReadRequest } from '../document-reader.ts'
import { createDocumentText, type DocumentText, finishReading } from '../document-text.ts'
import { openDocument, type OpenDocument } from './open-document.ts'
import { createPageCharacters, type PageWorkspace } from './page-characters.ts'
import { dropPdfium, loadPdfium } from './pdfium.ts'
import { readMetadata } from './read-metadata.ts'
import { emptyPage, readPage } from './read-page.ts'

/** The WASM code trapped this often in one document: give up. Each time costs a new instance and opening again. */
const MOST_TRAPS = 8
const SCRATCH_BYTES = 48

/** Where a reading stands; goes on over a change of the PDFium instance. */
interface Progress {
  nextIndex: number
  pageCount: number
  text: DocumentText
  metadata: Record<string, string>
  failedPages: number[]
  issues: ReadingIssue[]
}

export async function readPdf(source: ByteSource, request: ReadRequest, sink: ReadingSink): Promise<ReadingEnd> {
  const progress: Progress = {
    nextIndex: 0,
    pageCount: 0,
    text: createDocumentText(request.maxTextBytes),
    metadata: {},
    failedPages: [],
    issues: [],
  }
  for (let traps = 0; traps <= MOST_TRAPS; traps++) {
    const opened = await openGuarded(source, request.passwords)
    if ('outcome' in opened) return opened
    if (await readPages(opened, request, sink, progress)) return finish(progress)
  }
  return { outcome: 'failed', code: 'parser_crash', page: progress.nextIndex }
}

async function openGuarded(source: ByteSource, passwords: readonly string[]): Promise<OpenDocument | FailedEnd> {
  const pdfium = await loadPdfium()
  try {
    return await openDocument(pdfium, source, passwords)
  } catch (error) {
    if (!isTrap(error)) throw error
    dropPdfium()
    return { outcome: 'failed', code: 'bad_pdf', detail: 'the structure of the file cannot be followed' }
  }
}

/** Errors that come out of WASM code: traps, exhausted stack. Everything else is not about the file. */
function isTrap(error: unknown): boolean {
  return error instanceof Error && (error.name === 'RuntimeError' || error instanceof RangeError)
}

/** False when the code trapped and the document has to be opened again; the page that did it is then marked as failed. */
async function readPages(
  document: OpenDocument,
  request: ReadRequest,
  sink: ReadingSink,
  progress: Progress,
): Promise<boolean> {
  const workspace: PageWorkspace = {
    characters: createPageCharacters(),
    scratch: document.pdfium.calls.malloc(SCRATCH_BYTES),
    characterLimit: request.maxTextBytes * 2,
  }
  const setUp = attempt(() => {
    if (progress.nextIndex === 0) progress.metadata = readMetadata(document.pdfium, document.handle)
    progress.pageCount = document.pageCount
  })
  if (!setUp) return false
  while (progress.nextIndex < progress.pageCount && !progress.text.isFull()) {
    const index = progress.nextIndex++
    sink.progress?.(index, progress.pageCount)
    let page: Page | null = null
    const survived = attempt(() => {
      page = readPage(document, index, workspace, progress.text)
      if (page === null) page = markFailed(progress, emptyPage(document, index, workspace.scratch))
    })
    page ??= markFailed(progress, emptyPage(null, index, 0))
    const delivered = sink.page(page)
    if (delivered) await delivered
    if (!survived) return false
  }
  sink.progress?.(progress.nextIndex, progress.pageCount)
  return (
    attempt(() => {
      document.pdfium.calls.free(workspace.scratch)
      document.close()
    }) || true
  )
}

/** Runs WASM code; after a trap the instance is given up and false comes back. */
function attempt(run: () => void): boolean {
  try {
    run()
    return true
  } catch (error) {
    if (!isTrap(error)) throw error
    dropPdfium()
    return false
  }
}

function markFailed(progress: Progress, page: Page): Page {
  progress.failedPages.push(page.number)
  progress.issues.push({ code: 'page_failed', page: page.number, message: 'The page could not be read.' })
  return page
}

function finish(progress: Progress): Promise<ReadingEnd> | ReadingEnd {
  const { text, metadata, failedPages, issues, nextIndex, pageCount } = progress
  if (pageCount === 0) return { outcome: 'failed', code: 'bad_pdf', detail: 'the document has no pages' }
  if (failedPages.length === pageCount)
    return { outcome: 'failed', code: 'bad_pdf', detail: 'no page can be read', page: 1 }
  return finishReading(text, { title: metadata.title ?? null, metadata, pages: nextIndex, failedPages, issues })
}
