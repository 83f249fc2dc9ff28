import { readFile } from 'node:fs/promises'
import { deflateRawSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeZip } from '../../test/support/zip-writer.ts'
import { HEAD_BYTES, sniffMediaType, TAIL_BYTES } from './sniff.ts'

const FILES = new URL('../../test/files/intake/', import.meta.url)
const OOXML = 'application/vnd.openxmlformats-officedocument'
const DOCX = `${OOXML}.wordprocessingml.document`

const sniff = (content: Buffer | string, name: string) => {
  const bytes = Buffer.from(content as string)
  return sniffMediaType(bytes.subarray(0, HEAD_BYTES), bytes.subarray(-TAIL_BYTES), bytes.length, name)
}
const typeOf = async (content: Buffer | string, name = 'x') => (await sniff(content, name)).mediaType

describe('real files', () => {
  test.each([
    ['unst-handbook-1p.docx', DOCX],
    ['made-truncated.docx', DOCX],
    ['unst-emoji.xlsx', `${OOXML}.spreadsheetml.sheet`],
    ['tika-testFooter.odt', 'application/vnd.oasis.opendocument.text'],
    ['tika-testEPUB.epub', 'application/epub+zip'],
    ['tika-gbk.zip', 'application/zip'],
    ['tika-testZip_with_DataDescriptor.zip', 'application/zip'],
    ['unst-fake.doc', 'application/msword'],
    ['docling-legacy_sample.xls', 'application/vnd.ms-excel'],
    ['unst-fake-encrypted.msg', 'application/vnd.ms-outlook'],
    ['unst-password_protected.xlsx', 'application/encrypted'],
    ['tika-testRTF.rtf', 'application/rtf'],
    ['tika-testWEBP.webp', 'image/webp'],
    ['docling-eml_with_attachment.eml', 'message/rfc822'],
    ['unst-fake-email-utf-16.eml', 'message/rfc822'],
    ['tika-simple.mbox', 'application/mbox'],
    ['tika-testCSV.csv', 'text/csv'],
    ['unst-stanley-cups.tsv', 'text/tab-separated-values'],
    ['docling-table_05.html', 'text/html'],
    ['unst-fake-html-with-image-from-url.html', 'text/html'],
    ['unst-fake-text-utf-16.txt', 'text/plain'],
    ['unst-fake-text-utf-16-be.txt', 'text/plain'],
  ])('%s is %s, also without its name', async (name, mediaType) => {
    const content = await readFile(new URL(name, FILES))
    expect(await sniff(content, name)).toEqual({ mediaType, mismatch: null })
    expect(await typeOf(content, 'upload')).toBe(mediaType)
  })

  test('EBCDIC is not taken for text', async () => {
    expect(await typeOf(await readFile(new URL('tika-english.cp500.txt', FILES)), 'tika-english.cp500.txt')).toBe(
      'application/octet-stream',
    )
  })

  test('HTML called .docx is HTML, and that is said', async () => {
    const content = await readFile(new URL('made-html-named.docx', FILES))
    expect(await sniff(content, 'made-html-named.docx')).toEqual({
      mediaType: 'text/html',
      mismatch: 'The name ends in ".docx", but the content is text/html.',
    })
  })
})

describe('containers', () => {
  const entry = (name: string, content = 'x') => ({ name, content: Buffer.from(content) })

  test('a document is known by its entries wherever they stand', async () => {
    const filler = Array.from({ length: 50 }, (_, at) => ({ name: `media/${at}`, content: Buffer.alloc(5000, 0xe9) }))
    expect(await typeOf(writeZip([...filler, entry('xl/workbook.bin')]))).toBe(
      'application/vnd.ms-excel.sheet.binary.macroenabled.12',
    )
    expect(await typeOf(writeZip([...filler, entry('word/document.xml')]))).toBe(DOCX)
    expect(
      await typeOf(writeZip([entry('mimetype', 'application/vnd.oasis.opendocument.spreadsheet'), ...filler])),
    ).toBe('application/vnd.oasis.opendocument.spreadsheet')
    expect(await typeOf(writeZip([...filler, entry('folder/word/document.xml')]))).toBe('application/zip')
  })

  test('a deflated mimetype entry counts too', async () => {
    const raw = { method: 8, bytes: deflateRawSync('application/epub+zip') }
    expect(await typeOf(writeZip([{ name: 'mimetype', content: Buffer.from('application/epub+zip'), raw }]))).toBe(
      'application/epub+zip',
    )
  })

  test('tar, compressed tar and plain gzip', async () => {
    const header = Buffer.alloc(1024)
    header.write('a.txt')
    header.write(
      `${['0000644', '0000000', '0000000', '00000000000', '00000000000'].join('\0')}\0        0`,
      100,
      'latin1',
    )
    header.write(
      `${header
        .subarray(0, 512)
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    )
    expect(await typeOf(header)).toBe('application/x-tar')
    expect(await typeOf(gzipSync(header))).toBe('application/x-compressed-tar')
    expect(await typeOf(gzipSync('1,2,3'), 'a.csv.gz')).toBe('application/gzip')
    expect(await typeOf(gzipSync(Buffer.alloc(30_000_000)))).toBe('application/gzip')
    header[0]! += 1
    expect(await typeOf(header)).toBe('application/octet-stream')
  })

  test('an old Office file whose directory is out of sight goes by its name', async () => {
    const file = Buffer.alloc(400_000)
    Buffer.from('d0cf11e0a1b11ae1', 'hex').copy(file)
    file.writeUInt16LE(9, 30)
    file.writeUInt32LE(400, 48)
    expect(await typeOf(file, 'a.ppt')).toBe('application/vnd.ms-powerpoint')
    expect(await typeOf(file, 'a.pdf')).toBe('application/x-cfb')
  })
})

describe('PDF and polyglots: what stands at 0 counts', () => {
  const pdf = '%PDF-1.4\n1 0 obj\n<<>>\nendobj\nstartxref\n9\n%%EOF\n'
  test.each([
    ['a PDF', pdf, 'a.txt', 'application/pdf'],
    ['a PDF behind junk', `junk\n${pdf}`, 'a.pdf', 'application/pdf'],
    ['a binary PDF behind binary junk', `\0\x01\x02${'j'.repeat(900)}${pdf}`, 'a.pdf', 'application/pdf'],
    [
      'a PDF behind HTTP headers',
      `HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n${pdf}`,
      'a.pdf',
      'application/pdf',
    ],
    ['a text about PDF', 'The header is %PDF-1.4 and the end %%EOF.', 'a', 'text/plain'],
    ['a PDF with a ZIP behind it', `${pdf}${writeZip([{ name: 'a' }]).toString('latin1')}`, 'a.zip', 'application/pdf'],
    ['HTML that holds a PDF', `<html><body>${pdf}</body></html>`, 'a.html', 'text/html'],
    [
      'a GIF with an archive behind it',
      `GIF89a\x01\0\x01\0\0\0\0;${writeZip([{ name: 'a' }]).toString('latin1')}`,
      'a.gif',
      'image/gif',
    ],
    ['a program with a PDF behind it', `MZ\x90\0${'\0'.repeat(2000)}${pdf}`, 'a.pdf', 'application/x-msdownload'],
  ])('%s', async (_, content, name, mediaType) => {
    expect(await typeOf(Buffer.from(content, 'latin1'), name)).toBe(mediaType)
  })

  test('a program called .docx is said to be one', async () => {
    const { mismatch } = await sniff(Buffer.from(`MZ\x90\0\x03${'\0'.repeat(200)}`, 'latin1'), 'letter.docx')
    expect(mismatch).toBe('The name ends in ".docx", but the content is a Windows program (application/x-msdownload).')
  })
})

describe('text', () => {
  const rows = 'a,b,c\n1,2,3\n4,"5,5",6\n'
  test.each([
    ['plain words', 'BMW and MZ are words.', 'a', 'text/plain'],
    ['windows-1252', Buffer.from('Gr\xfc\xdfe aus K\xf6ln', 'latin1'), 'a.txt', 'text/plain'],
    [
      'a character cut at the end of the head',
      `${'x'.repeat(HEAD_BYTES - 1)}ü${'y'.repeat(10)}`,
      'a.txt',
      'text/plain',
    ],
    ['Markdown by name', '# Title\n<p align="center">', 'README.md', 'text/markdown'],
    ['CSV by rows', rows, 'export', 'text/csv'],
    ['CSV called .txt', rows, 'a.txt', 'text/plain'],
    ['semicolons', 'a;b;c\n1;2;3\n4;5;6', 'x', 'text/csv'],
    ['prose with commas', 'One, two\nthree, four\nfive, six\n', 'x', 'text/plain'],
    ['JSON', '{"a": [1, 2]}', 'x', 'application/json'],
    ['JSON called .txt', '{"a": 1}', 'a.txt', 'text/plain'],
    ['JSON lines', '{"a": 1}\n{"a": 2}\n', 'x', 'application/x-ndjson'],
    ['long JSON', `{"a": [${'1,'.repeat(HEAD_BYTES)}1]}`, 'x', 'application/json'],
    ['braces only', '{not json', 'x', 'text/plain'],
    ['HTML with a comment first', '<!-- saved -->\n<!DOCTYPE html><title>x</title>', 'a.pdf', 'text/html'],
    ['XHTML', '<?xml version="1.0"?><!DOCTYPE html PUBLIC "x" "y"><html xmlns="z"/>', 'x', 'text/html'],
    ['XML', '<?xml version="1.0"?><note/>', 'x', 'application/xml'],
    ['XML without a declaration', '<note><to>x</to></note>\n', 'x', 'application/xml'],
    [
      'SVG',
      '<?xml version="1.0"?>\n<!-- x --><!DOCTYPE svg [<!ENTITY a "b">]>\n<svg xmlns="x"/>',
      'x',
      'image/svg+xml',
    ],
    ['SVG with a prefix', '<s:svg xmlns:s="x"/>', 'x', 'image/svg+xml'],
    ['PostScript', '%!PS-Adobe-3.0\n', 'x', 'application/postscript'],
    ['mail', 'Return-Path: <a@b>\r\nFrom: a@b\r\nSubject: x\r\n y\r\n\r\nHello', 'x', 'message/rfc822'],
    ['a memo', 'From: Ann\nTo: Bob\nSubject: lunch\n\nHello', 'memo.txt', 'text/plain'],
    ['a message called .eml', 'Subject: x\n\nHello', 'a.eml', 'message/rfc822'],
    ['a mailbox', 'From a@b Mon Jun  1 10:00:00 2009\nSubject: x\n\nHello', 'x', 'application/mbox'],
    ['nothing', '', 'a.txt', 'application/x-empty'],
    ['zeros', Buffer.alloc(100), 'a.txt', 'application/octet-stream'],
  ])('%s', async (_, content, name, mediaType) => {
    expect(await typeOf(content as string, name)).toBe(mediaType)
  })
})

test('images whose telling part lies behind the head are still known', async () => {
  const tiff = Buffer.alloc(200_000, 1)
  tiff.write('II*\0', 'latin1')
  tiff.writeUInt32LE(199_000, 4)
  expect(await typeOf(tiff)).toBe('image/tiff')
  const png = Buffer.alloc(200_000, 1)
  Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890001000069434350', 'hex').copy(png)
  expect(await typeOf(png)).toBe('image/png')
})

test('no content and no name makes it throw', async () => {
  const start = fc.constantFrom(
    '',
    '%PDF-',
    'PK\x03\x04',
    'PK\x05\x06',
    '\x1f\x8b\x08',
    '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1',
    '<?xml',
    '{"',
    'From ',
    '\xff\xfe',
    '\x89PNG\r\n\x1a\n',
    'ID3',
  )
  await fc.assert(
    fc.asyncProperty(
      start,
      fc.uint8Array({ maxLength: 700 }),
      fc.string({ unit: 'binary' }),
      async (magic, rest, name) => {
        const bytes = Buffer.concat([Buffer.from(magic, 'latin1'), rest])
        const { mediaType } = await sniffMediaType(bytes, bytes.subarray(-100), bytes.length * 2, name)
        expect(mediaType).toMatch(/^[a-z]+\/[a-z0-9.+-]+$/)
      },
    ),
    { numRuns: 400 },
  )
})

test('hostile text is decided in bounded time', async () => {
  const began = performance.now()
  for (const piece of ['<!---->', '<?x?>', '"', 'From x Mon Jan 01 00:00 ', '<', 'a:\n', '[', '{"', 'a,'] as const) {
    await typeOf(piece.repeat(Math.ceil(HEAD_BYTES / piece.length)))
    await typeOf(`<${piece.repeat(Math.ceil(HEAD_BYTES / piece.length))}`)
    await typeOf(`From x${piece.repeat(Math.ceil(HEAD_BYTES / piece.length))}`)
  }
  expect((performance.now() - began) / 27).toBeLessThan(500)
})
