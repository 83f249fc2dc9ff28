/** One page of a PDF: load, read, close. */

import type { Page } from '../../core/index.ts'
import type { DocumentText } from '../document-text.ts'
import type { OpenDocument } from './open-document.ts'
import { type PageWorkspace, readCharacters } from './page-characters.ts'
import { buildBlocks } from './page-blocks.ts'
import { type PageGeometry, readPageGeometry, round2 } from './page-geometry.ts'
import { buildLines, type PageLine } from './page-lines.ts'

/** The page, or null when PDFium cannot load it. Throws only when the WASM code traps. */
export function readPage(
  document: OpenDocument,
  index: number,
  workspace: PageWorkspace,
  text: DocumentText,
): Page | null {
  const { calls } = document.pdfium
  const page = calls.FPDF_LoadPage(document.handle, index)
  if (page === 0) return null
  const geometry = readPageGeometry(document.pdfium, page, workspace.scratch)
  const textPage = calls.FPDFText_LoadPage(page)
  const lines = textPage === 0 ? null : readLines(document, textPage, geometry, workspace)
  if (textPage !== 0) calls.FPDFText_ClosePage(textPage)
  calls.FPDF_ClosePage(page)
  return lines && makePage(index + 1, geometry, buildBlocks(index + 1, lines, text))
}

function readLines(
  document: OpenDocument,
  textPage: number,
  geometry: PageGeometry,
  workspace: PageWorkspace,
): PageLine[] {
  readCharacters(document.pdfium, textPage, workspace)
  return buildLines(workspace.characters, geometry)
}

/** Stands for a page that could not be read, with its size if that is known. */
export function emptyPage(document: OpenDocument | null, index: number, scratch: number): Page {
  let [width, height] = [0, 0]
  if (document && document.pdfium.calls.FPDF_GetPageSizeByIndexF(document.handle, index, scratch) !== 0) {
    const at = scratch >> 2
    width = round2(document.pdfium.memory.HEAPF32[at]!)
    height = round2(document.pdfium.memory.HEAPF32[at + 1]!)
  }
  return makePage(index + 1, { width, height, rotation: 0 }, [])
}

function makePage(
  number: number,
  size: Pick<PageGeometry, 'width' | 'height' | 'rotation'>,
  blocks: Page['blocks'],
): Page {
  return { number, width: size.width, height: size.height, unit: 'pt', rotation: size.rotation, source: 'text', blocks }
}
