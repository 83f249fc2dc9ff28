/** Writes small PDFs for tests: one simple font, uncompressed pages, an exact cross-reference table. */

export interface PageSource {
  /** Content stream; the font is /F1. */
  content: string
  rotate?: number
  mediaBox?: readonly number[]
  cropBox?: readonly number[]
}

export interface PdfSource {
  pages: readonly PageSource[]
  info?: Readonly<Record<string, string>>
  /** ToUnicode: one-byte code → UTF-16BE in hexadecimal. */
  toUnicode?: Readonly<Record<string, string>>
}

/** Lines of text at (x, y) in user space, 12 pt Helvetica. */
export function textAt(x: number, y: number, text: string, size = 12): string {
  return `BT /F1 ${size} Tf 1 0 0 1 ${x} ${y} Tm (${text.replace(/[()\\]/g, '\\$&')}) Tj ET\n`
}

export function makePdf({ pages, info = {}, toUnicode }: PdfSource): Uint8Array {
  const firstPage = 6
  const kids = pages.map((_, index) => `${firstPage + index * 2} 0 R`).join(' ')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    `<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding${toUnicode ? ' /ToUnicode 5 0 R' : ''} >>`,
    `<< ${Object.entries(info).map(([key, value]) => `/${key} (${value.replace(/[()\\]/g, '\\$&')})`).join(' ')} >>`,
    stream(characterMap(toUnicode ?? {})),
    ...pages.flatMap((page, index) => [pageObject(page, firstPage + index * 2 + 1), stream(page.content)]),
  ]
  return assemble(objects)
}

function pageObject({ rotate, mediaBox = [0, 0, 612, 792], cropBox }: PageSource, content: number): string {
  const crop = cropBox ? ` /CropBox [${cropBox.join(' ')}]` : ''
  const turn = rotate === undefined ? '' : ` /Rotate ${rotate}`
  return `<< /Type /Page /Parent 2 0 R /MediaBox [${mediaBox.join(' ')}]${crop}${turn} /Resources << /Font << /F1 3 0 R >> >> /Contents ${content} 0 R >>`
}

function stream(content: string): string {
  return `<< /Length ${content.length} >>\nstream\n${content}\nendstream`
}

function characterMap(entries: Readonly<Record<string, string>>): string {
  const lines = Object.entries(entries).map(([code, text]) => `<${code}> <${text}>`)
  return `/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def /CMapType 2 def
1 begincodespacerange <00> <FF> endcodespacerange
${lines.length} beginbfchar
${lines.join('\n')}
endbfchar endcmap CMapName currentdict /CMap defineresource pop end end`
}

function assemble(objects: readonly string[]): Uint8Array {
  let file = '%PDF-1.7\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const count = objects.length + 1
  const trailer = `trailer\n<< /Size ${count} /Root 1 0 R /Info 4 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(`${file}xref\n0 ${count}\n0000000000 65535 f \n${table}${trailer}`, 'latin1')
}
