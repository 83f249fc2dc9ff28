import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Page } from '../core/index.ts'
import { readingJsonWriter } from './write-json.ts'

const HEAD = { path: 'a "b".txt', mediaType: 'text/plain', sha256: 'c0ffee' }
const page = (number: number): Page => ({
  number,
  width: 0,
  height: 0,
  unit: 'pt',
  rotation: 0,
  source: 'text',
  blocks: [],
})

function write(text: string, pages: Page[]): { json: string; longest: number } {
  const pieces: string[] = []
  const writer = readingJsonWriter((piece) => pieces.push(piece), HEAD)
  for (const each of pages) writer.page(each)
  writer.end({
    outcome: 'read',
    title: 'T',
    language: null,
    metadata: { author: 'A' },
    text,
    pages: pages.length,
    failedPages: [],
    words: 0,
    characters: 0,
    issues: [],
  })
  return { json: pieces.join(''), longest: Math.max(...pieces.map((piece) => piece.length)) }
}

it.each([[[]], [[page(1)]], [[page(1), page(2)]]])('is exactly a Reading', (pages) => {
  expect(JSON.parse(write('text', pages).json)).toEqual({
    schema: 'sheaf.document/1',
    ...HEAD,
    pages,
    language: null,
    title: 'T',
    metadata: { author: 'A' },
    text: 'text',
    issues: [],
  })
})

it('writes a long text in pieces and keeps every character', () => {
  const text = '"\\\n😀é'.repeat(40_000)
  for (const shifted of [text, `x${text}`, `xx${text}`]) {
    const { json, longest } = write(shifted, [])
    expect((JSON.parse(json) as { text: string }).text === shifted).toBe(true)
    expect(longest).toBeLessThan(200_000)
  }
})

it('writes any text so that it is read as it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect((JSON.parse(write(text, []).json) as { text: string }).text).toBe(text)
    }),
  )
})
