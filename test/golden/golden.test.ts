import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/core/index.ts'
import { renderMarkdown } from '../../src/parse/index.ts'
import { offsetFaults, readForTest } from '../files/parse/read-for-test.ts'

const SOURCES = join(import.meta.dirname, 'sources')
const EXPECTED = join(import.meta.dirname, 'expected')
const isAskedToUpdate = process.env.UPDATE_GOLDEN !== undefined
const isContinuousIntegration = process.env.CI !== undefined

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.pdf': 'application/pdf',
  '.txt': 'text/plain',
  '.md': 'text/markdown',
  '.html': 'text/html',
  '.csv': 'text/csv',
  '.tsv': 'text/tab-separated-values',
}
const PASSWORDS: Readonly<Record<string, string>> = {
  'pdfjs-issue6010_2.pdf': 'æøå',
  'pdfjs-saslprep-r6.pdf': 'SªSL\u00adprep',
}
/** Text stands beyond the crop box, or touches the edge so that the em box of its font sticks out. */
const BEYOND_EDGES = new Set([
  'unst-negative-coords.pdf',
  'PDFBOX-3110-poems-beads-cropbox.pdf',
  'unst-korean-text-with-tables.pdf',
  'pdfjs-structure_simple.pdf',
])

function checkGolden(name: string, content: string): void {
  const path = join(EXPECTED, name)
  if (isAskedToUpdate && !isContinuousIntegration) {
    mkdirSync(EXPECTED, { recursive: true })
    writeFileSync(path, content)
  }
  expect(content).toBe(readFileSync(path, 'utf8'))
}

/** Words whose box is inverted or leaves the page by more than a point. */
function misplacedWords(page: Page): string[] {
  const words = page.blocks.flatMap((block) => (block.lines ?? []).flatMap((line) => line.words ?? []))
  return words
    .filter(
      ({ box: [x0, y0, x1, y1] }) =>
        !(x0 <= x1 && y0 <= y1 && x0 > -1 && y0 > -1 && x1 < page.width + 1 && y1 < page.height + 1),
    )
    .map((word) => `${word.text} ${word.box}`)
}

it('golden files are not rewritten by continuous integration', () => {
  expect(isAskedToUpdate && isContinuousIntegration).toBe(false)
})

describe.each(readdirSync(SOURCES))('%s', (file) => {
  it('yields what it yielded before', async () => {
    const bytes = readFileSync(join(SOURCES, file))
    const password = PASSWORDS[file]
    const { end, reading } = await readForTest(bytes, MEDIA_TYPES[extname(file)]!, {
      path: file,
      passwords: password === undefined ? [] : [password],
    })
    if (!reading) {
      checkGolden(`${file}.failed.json`, `${JSON.stringify(end, null, 2)}\n`)
      return
    }
    expect(offsetFaults(reading)).toEqual([])
    expect(BEYOND_EDGES.has(file) ? [] : reading.pages.flatMap(misplacedWords)).toEqual([])
    checkGolden(`${file}.json`, goldenJson(reading))
    checkGolden(`${file}.md`, renderMarkdown(reading, { furniture: 'keep' }))
  })
})

/** One block a line, so that differences can be read. */
function goldenJson(reading: object): string {
  return `${JSON.stringify(reading).replaceAll('{"id":"', '\n{"id":"').replaceAll('{"number":', '\n{"number":')}\n`
}
