import { deflateSync } from 'node:zlib'

const LINES = 46
const WORDS_IN_LINE = 13
const WORDS =
  'the of and to in is that for it as was with be by on not he this are or his from at which but have an they you were her she there been one all their has would what will if can when so no said who more about up out them then into some could time these two may other its now people than only over new'.split(
    ' ',
  )

/**
 * A PDF (ISO 32000-1) of `pages` pages of running text, about 600 words each, in Helvetica with deflated content. The
 * same seed gives the same bytes, another one other text.
 */
export function writeTextPdf(seed: number, pages: number): Buffer {
  const random = mulberry32(seed)
  const bodies: Buffer[] = [
    Buffer.from('<< /Type /Catalog /Pages 2 0 R >>'),
    Buffer.from(
      `<< /Type /Pages /Count ${pages} /Kids [${Array.from({ length: pages }, (_, i) => `${4 + i * 2} 0 R`).join(' ')}] >>`,
    ),
    Buffer.from('<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>'),
  ]
  for (let page = 0; page < pages; page++) {
    const content = deflateSync(pageContent(`Document ${seed}, page ${page + 1}`, random))
    bodies.push(
      Buffer.from(
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + page * 2} 0 R >>`,
      ),
      Buffer.concat([
        Buffer.from(`<< /Length ${content.length} /Filter /FlateDecode >>\nstream\n`),
        content,
        Buffer.from('\nendstream'),
      ]),
    )
  }
  return assemble(bodies)
}

function pageContent(heading: string, random: () => number): string {
  const lines = Array.from({ length: LINES }, () => {
    const words = Array.from({ length: WORDS_IN_LINE }, () => WORDS[Math.floor(random() * WORDS.length)]!)
    return `(${words.join(' ')}.) Tj T*`
  })
  return `BT /F1 16 Tf 60 790 Td (${heading}) Tj ET\nBT /F1 10 Tf 15 TL 60 760 Td\n${lines.join('\n')}\nET\n`
}

function assemble(bodies: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n', 'latin1')]
  let offset = parts[0]!.length
  const entries: string[] = []
  for (const [i, body] of bodies.entries()) {
    entries.push(`${String(offset).padStart(10, '0')} 00000 n \n`)
    const object = Buffer.concat([Buffer.from(`${i + 1} 0 obj\n`), body, Buffer.from('\nendobj\n')])
    parts.push(object)
    offset += object.length
  }
  const size = bodies.length + 1
  parts.push(
    Buffer.from(
      `xref\n0 ${size}\n0000000000 65535 f \n${entries.join('')}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${offset}\n%%EOF\n`,
    ),
  )
  return Buffer.concat(parts)
}

/** Mulberry32 (Tommy Ettinger, public domain): a small generator whose sequence depends on the seed only. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
