import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makePdf, textAt } from '../../../test/files/parse/make-pdf.ts'
import { dropPdfium, loadPdfium, type Pdfium, PDFIUM_ERROR, readerMemoryBytes } from './pdfium.ts'

const source = makePdf({
  info: { Title: 'Calls' },
  pages: [{ content: textAt(100, 700, 'Ag'), rotate: 90, cropBox: [10, 20, 410, 720] }],
})

/** Each function that is used keeps the signature and the meaning we rely on, whatever version of the package comes. */
describe('PDFium exports', () => {
  let pdfium: Pdfium
  let bytes = 0
  let password = 0
  let scratch = 0
  let document = 0
  let page = 0
  let textPage = 0

  beforeEach(async () => {
    pdfium = await loadPdfium()
    bytes = pdfium.calls.malloc(source.length)
    password = pdfium.calls.malloc(1)
    scratch = pdfium.calls.malloc(64)
    pdfium.memory.HEAPU8.set(source, bytes)
    pdfium.memory.HEAPU8[password] = 0
    document = pdfium.calls.FPDF_LoadMemDocument(bytes, source.length, password)
    page = pdfium.calls.FPDF_LoadPage(document, 0)
    textPage = pdfium.calls.FPDFText_LoadPage(page)
  })

  afterEach(() => {
    pdfium.calls.FPDFText_ClosePage(textPage)
    pdfium.calls.FPDF_ClosePage(page)
    pdfium.calls.FPDF_CloseDocument(document)
    for (const pointer of [bytes, password, scratch]) pdfium.calls.free(pointer)
  })

  const floats = (count: number) => [...pdfium.memory.HEAPF32.subarray(scratch >> 2, (scratch >> 2) + count)]
  const doubles = (count: number) => [...pdfium.memory.HEAPF64.subarray(scratch >> 3, (scratch >> 3) + count)]

  it('malloc and free: blocks are aligned to 8 and can be given back', () => {
    const pointer = pdfium.calls.malloc(48)
    expect(pointer % 8).toBe(0)
    expect(pointer).toBeGreaterThan(0)
    pdfium.calls.free(pointer)
  })

  it('FPDF_LoadMemDocument and FPDF_GetPageCount open a document', () => {
    expect(document).toBeGreaterThan(0)
    expect(pdfium.calls.FPDF_GetPageCount(document)).toBe(1)
  })

  it('FPDF_GetLastError says why a document does not open', () => {
    expect(pdfium.calls.FPDF_LoadMemDocument(bytes, 5, password)).toBe(0)
    expect(pdfium.calls.FPDF_GetLastError()).toBe(PDFIUM_ERROR.format)
  })

  it('FPDF_GetMetaText writes UTF-16LE with an end mark', () => {
    const tag = pdfium.calls.malloc(6)
    pdfium.memory.HEAPU8.set(Buffer.from('Title\0'), tag)
    expect(pdfium.calls.FPDF_GetMetaText(document, tag, scratch, 64)).toBe(12)
    expect(Buffer.from(pdfium.memory.HEAPU8.subarray(scratch, scratch + 10)).toString('utf16le')).toBe('Calls')
    pdfium.calls.free(tag)
  })

  it('FPDF_LoadPage gives 0 for a page that is not there', () => {
    expect(page).toBeGreaterThan(0)
    expect(pdfium.calls.FPDF_LoadPage(document, 7)).toBe(0)
  })

  it('FPDF_GetPageWidthF and FPDF_GetPageHeightF measure the upright, cropped page', () => {
    expect([pdfium.calls.FPDF_GetPageWidthF(page), pdfium.calls.FPDF_GetPageHeightF(page)]).toEqual([700, 400])
  })

  it('FPDF_GetPageSizeByIndexF measures without loading', () => {
    expect(pdfium.calls.FPDF_GetPageSizeByIndexF(document, 0, scratch)).not.toBe(0)
    expect(floats(2)).toEqual([700, 400])
  })

  it('FPDF_GetPageBoundingBox gives left, top, right, bottom in user space', () => {
    expect(pdfium.calls.FPDF_GetPageBoundingBox(page, scratch)).not.toBe(0)
    expect(floats(4)).toEqual([10, 720, 410, 20])
  })

  it('FPDFPage_GetRotation counts quarter turns', () => {
    expect(pdfium.calls.FPDFPage_GetRotation(page)).toBe(1)
  })

  it('FPDFText_CountChars and FPDFText_GetUnicode list the characters', () => {
    expect(pdfium.calls.FPDFText_CountChars(textPage)).toBe(2)
    expect([0, 1].map((index) => pdfium.calls.FPDFText_GetUnicode(textPage, index))).toEqual([0x41, 0x67])
  })

  it('FPDFText_GetCharAngle is 0 for text along the x axis', () => {
    expect(pdfium.calls.FPDFText_GetCharAngle(textPage, 0)).toBeCloseTo(0)
  })

  it('FPDFText_GetCharBox gives left, right, bottom, top of the ink', () => {
    expect(pdfium.calls.FPDFText_GetCharBox(textPage, 1, scratch, scratch + 8, scratch + 16, scratch + 24)).not.toBe(0)
    const [left, right, bottom, top] = doubles(4)
    expect(left!).toBeGreaterThan(107)
    expect(right!).toBeLessThan(116)
    expect(bottom!).toBeLessThan(700)
    expect(top!).toBeLessThan(708)
  })

  it('FPDFText_GetLooseCharBox gives left, top, right, bottom of the em box', () => {
    expect(pdfium.calls.FPDFText_GetLooseCharBox(textPage, 0, scratch)).not.toBe(0)
    const [left, top, right, bottom] = floats(4)
    expect(left).toBeCloseTo(100, 1)
    expect(right).toBeCloseTo(108, 0)
    expect(top! - bottom!).toBeGreaterThan(11)
    expect(top! - bottom!).toBeLessThan(16)
  })
})

describe('the instance', () => {
  it('is one, tells its memory, and a new one comes after it was dropped', async () => {
    const first = await loadPdfium()
    expect(await loadPdfium()).toBe(first)
    expect(readerMemoryBytes()).toBe(first.memory.HEAPU8.byteLength)
    dropPdfium()
    expect(readerMemoryBytes()).toBe(0)
    expect(await loadPdfium()).not.toBe(first)
    expect(readerMemoryBytes()).toBeGreaterThan(0)
  })
})
