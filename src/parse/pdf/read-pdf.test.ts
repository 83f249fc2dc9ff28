import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePdf, textAt } from '../../../test/files/parse/make-pdf.ts'
import { offsetFaults, readForTest, readWell, sourceOf } from '../../../test/files/parse/read-for-test.ts'
import { readDocument } from '../read-document.ts'
import { loadPdfium } from './pdfium.ts'

const PDF = 'application/pdf'
const golden = (name: string) => readFileSync(join(import.meta.dirname, '../../../test/golden/sources', name))
const twoPages = makePdf({
  info: { Title: 'Two pages', Author: 'A. Example', CreationDate: "D:20240131120000+01'00'" },
  pages: [
    {
      content:
        textAt(72, 700, 'First line of the first page') +
        textAt(72, 686, 'goes on here.') +
        textAt(72, 600, 'Another paragraph.'),
    },
    { content: textAt(72, 700, 'Second page') },
  ],
})

describe('a PDF with text', () => {
  it('gives pages, paragraphs, lines and words with their places', async () => {
    const { reading, end } = await readWell(twoPages, PDF)
    expect(reading.pages.map(({ number, width, height, rotation }) => [number, width, height, rotation])).toEqual([
      [1, 612, 792, 0],
      [2, 612, 792, 0],
    ])
    expect(reading.text).toBe('First line of the first page\ngoes on here.\n\nAnother paragraph.\n\nSecond page')
    expect(reading.pages[0]!.blocks.map((block) => block.id)).toEqual(['p1b1', 'p1b2'])
    expect(offsetFaults(reading)).toEqual([])
    const word = reading.pages[1]!.blocks[0]!.lines![0]!.words![0]!
    expect(word.text).toBe('Second')
    expect(word.box[0]).toBeCloseTo(72, 0)
    expect(word.box[1]).toBeGreaterThan(80)
    expect(word.box[3]).toBeLessThan(97)
    expect(end).toMatchObject({ pages: 2, failedPages: [], words: 13, characters: reading.text.length, issues: [] })
  })

  it('gives title and metadata, dates as ISO 8601', async () => {
    const { reading } = await readWell(twoPages, PDF)
    expect(reading.title).toBe('Two pages')
    expect(reading.metadata).toEqual({ title: 'Two pages', author: 'A. Example', created: '2024-01-31T12:00:00+01:00' })
  })

  it('places boxes on the upright, cropped page', async () => {
    const turned = makePdf({
      pages: [{ content: textAt(100, 700, 'Turned'), rotate: 90, cropBox: [10, 20, 410, 720] }],
    })
    const { reading } = await readWell(turned, PDF)
    const [page] = reading.pages
    expect([page!.width, page!.height, page!.rotation]).toEqual([700, 400, 90])
    const [x0, y0, x1] = page!.blocks[0]!.box
    expect(x0).toBeGreaterThan(670)
    expect(x1).toBeLessThan(700)
    expect(y0).toBeCloseTo(90, 0)
  })

  it('handles what fonts map letters to: pairs, ligatures, NUL, lone surrogates', async () => {
    const toUnicode = { '41': 'D83DDE00', '42': 'FB01', '43': '0000', '44': 'D83D', '45': '00660066' }
    const { reading } = await readWell(makePdf({ toUnicode, pages: [{ content: textAt(72, 700, 'xABCDEx') }] }), PDF)
    expect(reading.text).toBe('x😀fiffx')
  })

  it('delivers each page before the next is read, and tells the progress', async () => {
    const seen: string[] = []
    await readDocument(
      sourceOf(twoPages),
      { path: '', mediaType: PDF, sha256: '', passwords: [], maxTextBytes: 1_000 },
      {
        page: async (page) => {
          seen.push(`page ${page.number}`)
        },
        progress: (done, total) => seen.push(`${done} of ${total}`),
      },
    )
    expect(seen).toEqual(['0 of 2', 'page 1', '1 of 2', 'page 2', '2 of 2'])
  })

  it('cuts the text after the last block that fits and says so', async () => {
    const { reading, end } = await readWell(twoPages, PDF, { maxTextBytes: 50 })
    expect(reading.text).toBe('First line of the first page\ngoes on here.')
    expect(end.issues).toEqual([expect.objectContaining({ code: 'text_limits', page: 1 })])
    expect(offsetFaults(reading)).toEqual([])
  })
})

describe('a PDF without text', () => {
  it('is read, with an issue for the document', async () => {
    const { reading, end } = await readWell(makePdf({ pages: [{ content: '0 0 m 100 100 l S' }] }), PDF)
    expect(reading.pages).toHaveLength(1)
    expect(reading.pages[0]!.blocks).toEqual([])
    expect(end.issues.map((issue) => issue.code)).toEqual(['no_text'])
  })
})

describe('a protected PDF', () => {
  const locked = golden('pdfjs-issue6010_2.pdf')

  it('asks for a password, refuses a wrong one, opens with the right one among others', async () => {
    expect((await readForTest(locked, PDF)).end).toEqual({ outcome: 'failed', code: 'password_required' })
    expect((await readForTest(locked, PDF, { passwords: ['no'] })).end).toEqual({
      outcome: 'failed',
      code: 'password_wrong',
    })
    expect((await readForTest(locked, PDF, { passwords: ['no', 'æøå'] })).end.outcome).toBe('read')
  })

  it('takes passwords in the form they are typed in', async () => {
    expect(
      (await readForTest(golden('pdfjs-saslprep-r6.pdf'), PDF, { passwords: ['SªSL\u00adprep'] })).end.outcome,
    ).toBe('read')
  })
})

describe('a damaged PDF', () => {
  it('is told from one that was cut', async () => {
    const content = Buffer.from(twoPages)
    const cut = content.subarray(0, 300)
    expect((await readForTest(cut, PDF)).end).toMatchObject({ outcome: 'failed', code: 'truncated' })
    expect((await readForTest(`%PDF-1.7\n${'x'.repeat(5_000)}\n%%EOF`, PDF)).end).toMatchObject({
      outcome: 'failed',
      code: 'bad_pdf',
    })
    expect((await readForTest('', PDF)).end).toMatchObject({ outcome: 'failed', code: 'bad_pdf' })
  })

  it('fails when it has no pages', async () => {
    expect((await readForTest(makePdf({ pages: [] }), PDF)).end).toMatchObject({ outcome: 'failed', code: 'bad_pdf' })
  })

  it('keeps the number of a page that cannot be read', async () => {
    const broken = Buffer.from(twoPages).toString('latin1').replace('[6 0 R 8 0 R] /Count 2', '[99 0 R 8 0 R] /Count 2')
    const { reading, end } = await readWell(Buffer.from(broken, 'latin1'), PDF)
    expect(end.failedPages).toEqual([1])
    expect(end.issues).toEqual([expect.objectContaining({ code: 'page_failed', page: 1 })])
    expect(reading.pages.map((page) => [page.number, page.blocks.length])).toEqual([
      [1, 0],
      [2, 1],
    ])
    expect(reading.text).toBe('Second page')
  })

  it('never throws, wherever bytes are changed', async () => {
    const change = fc.tuple(fc.nat(twoPages.length - 1), fc.nat(255))
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 20 }), async (changes) => {
        const bytes = Uint8Array.from(twoPages)
        for (const [offset, byte] of changes) bytes[offset] = byte
        const { reading, end } = await readForTest(bytes, PDF)
        expect(end.outcome === 'read' ? offsetFaults(reading!) : []).toEqual([])
      }),
      { numRuns: 100 },
    )
  })
})

it('goes on with a new instance when the WASM code traps in a page', async () => {
  const pdfium = await loadPdfium()
  const { FPDF_LoadPage: loadPage } = pdfium.calls
  pdfium.calls = {
    ...pdfium.calls,
    FPDF_LoadPage(document, index) {
      if (index === 0) throw Object.assign(new Error('unreachable'), { name: 'RuntimeError' })
      return loadPage(document, index)
    },
  }
  const { reading, end } = await readWell(twoPages, PDF)
  expect(end.failedPages).toEqual([1])
  expect(reading.text).toBe('Second page')
  expect(reading.metadata.author).toBe('A. Example')
  expect(await loadPdfium()).not.toBe(pdfium)
})

it('errors of the source and of the sink pass through', async () => {
  const request = { path: '', mediaType: PDF, sha256: '', passwords: [], maxTextBytes: 1_000 }
  const source = { ...sourceOf(twoPages), read: () => Promise.reject(new Error('no such blob')) }
  await expect(readDocument(source, request, { page() {} })).rejects.toThrow('no such blob')
  const page = () => Promise.reject(new Error('pipe closed'))
  await expect(readDocument(sourceOf(twoPages), request, { page })).rejects.toThrow('pipe closed')
})
