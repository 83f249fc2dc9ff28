/**
 * PDFium, compiled to WebAssembly by the package `@hyzyla/pdfium`: the functions that are used, with their types.
 * They are called on the raw exports: the package's own wrappers check every call (names, counts), which costs more
 * than a call that reads one character. Meanings: public/fpdfview.h, fpdf_text.h, fpdf_doc.h, fpdf_edit.h of PDFium.
 * Handles and pointers are offsets into the WASM memory; 0 is null.
 */

import { PDFiumModule } from '@hyzyla/pdfium'

/** Errors of FPDF_GetLastError (fpdfview.h). */
export const PDFIUM_ERROR = { unknown: 1, file: 2, format: 3, password: 4, security: 5, page: 6 } as const

export interface PdfiumCalls {
  malloc(bytes: number): number
  free(pointer: number): void
  FPDF_InitLibraryWithConfig(config: number): void
  /** 0 when the document does not open; the bytes must stay until it is closed. */
  FPDF_LoadMemDocument(bytes: number, size: number, password: number): number
  FPDF_GetLastError(): number
  FPDF_CloseDocument(document: number): void
  FPDF_GetPageCount(document: number): number
  /** Bytes written or needed, UTF-16LE with its end mark. */
  FPDF_GetMetaText(document: number, tag: number, buffer: number, size: number): number
  FPDF_LoadPage(document: number, index: number): number
  FPDF_ClosePage(page: number): void
  /** Width and height of the upright page in points. */
  FPDF_GetPageWidthF(page: number): number
  FPDF_GetPageHeightF(page: number): number
  /** Writes two floats: width and height of the upright page; works for pages that do not load. */
  FPDF_GetPageSizeByIndexF(document: number, index: number, size: number): number
  /** Writes four floats: left, top, right, bottom of the crop box in user space. */
  FPDF_GetPageBoundingBox(page: number, rectangle: number): number
  /** Quarter turns clockwise. */
  FPDFPage_GetRotation(page: number): number
  FPDFText_LoadPage(page: number): number
  FPDFText_ClosePage(textPage: number): void
  /** -1 on failure. */
  FPDFText_CountChars(textPage: number): number
  FPDFText_GetUnicode(textPage: number, index: number): number
  /** Radians, counterclockwise in user space; -1 on failure. */
  FPDFText_GetCharAngle(textPage: number, index: number): number
  /** Writes four doubles: left, right, bottom, top of the ink. */
  FPDFText_GetCharBox(textPage: number, index: number, left: number, right: number, bottom: number, top: number): number
  /** Writes four floats: left, top, right, bottom of the em box (advance width, font height). */
  FPDFText_GetLooseCharBox(textPage: number, index: number, rectangle: number): number
}

/** One instance of the library with its own memory. */
export interface Pdfium {
  calls: PdfiumCalls
  /** Views of the memory; asked for again after each call that may have made it grow. */
  memory: { readonly HEAPU8: Uint8Array; readonly HEAPF32: Float32Array; readonly HEAPF64: Float64Array }
}

let instance: Promise<Pdfium> | undefined
let latest: Pdfium | undefined

/** The instance of this process, made on first use. */
export function loadPdfium(): Promise<Pdfium> {
  instance ??= createPdfium()
  return instance
}

/** Gives up the instance after a trap: its memory may be inconsistent. The next `loadPdfium` makes a new one. */
export function dropPdfium(): void {
  instance = undefined
  latest = undefined
}

/** Bytes of WASM memory held by this process; it never shrinks, so that long-lived processes need to be recycled. */
export function readerMemoryBytes(): number {
  return latest?.memory.HEAPU8.byteLength ?? 0
}

async function createPdfium(): Promise<Pdfium> {
  const module = (await PDFiumModule({})) as unknown as Pdfium['memory'] & { wasmExports: PdfiumCalls }
  const pdfium: Pdfium = { calls: module.wasmExports, memory: module }
  // FPDF_LIBRARY_CONFIG of version 2: version, font paths, isolate, embedder slot; all zero but the first.
  const size = 24
  const config = pdfium.calls.malloc(size)
  pdfium.memory.HEAPU8.fill(0, config, config + size)
  pdfium.memory.HEAPU8[config] = 2
  pdfium.calls.FPDF_InitLibraryWithConfig(config)
  pdfium.calls.free(config)
  latest = pdfium
  return pdfium
}
