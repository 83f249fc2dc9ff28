import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Page } from '../core/index.ts'
import { cutText, type FoundBlock, PAGE_BREAK, writeBlocks } from './block-writer.ts'
import { createDocumentText } from './document-text.ts'

async function write(blocks: Iterable<FoundBlock | typeof PAGE_BREAK>, maxBytes = 1_000_000) {
  const pages: Page[] = []
  const text = createDocumentText(maxBytes)
  const count = await writeBlocks(blocks, text, { page: (page) => void pages.push(page) })
  return { pages, text, count }
}

const paragraph = (text: string): FoundBlock => ({ type: 'paragraph', text })

it('numbers blocks by page and begins pages at breaks', async () => {
  const { pages, text, count } = await write([
    PAGE_BREAK,
    paragraph('a'),
    paragraph('b'),
    PAGE_BREAK,
    PAGE_BREAK,
    paragraph('c'),
    PAGE_BREAK,
  ])
  expect(count).toBe(2)
  expect(pages.map((page) => page.blocks.map((block) => block.id))).toEqual([['p1b1', 'p1b2'], ['p2b1']])
  expect(text.whole()).toBe('a\n\nb\n\nc')
})

it('gives one empty page for no text', async () => {
  const { pages, count } = await write([])
  expect(count).toBe(1)
  expect(pages[0]!.blocks).toEqual([])
})

it('begins a page after 1,000 blocks', async () => {
  const { pages } = await write(Array.from({ length: 1_001 }, () => paragraph('x')))
  expect(pages.map((page) => page.blocks.length)).toEqual([1_000, 1])
})

it('takes nothing more after the block that is over the limit, even if it would fit', async () => {
  const { pages, text } = await write([paragraph('abc'), paragraph('much too long'), paragraph('x')], 8)
  expect(text.isFull()).toBe(true)
  expect(text.whole()).toBe('abc')
  expect(pages[0]!.blocks).toHaveLength(1)
})

it('measures the limit in bytes of UTF-8', async () => {
  const { text } = await write([paragraph('ééé')], 5)
  expect(text.whole()).toBe('')
})

it('places blocks that cut their text out of the whole, for any texts', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'grapheme', maxLength: 20 })), async (texts) => {
      const { pages, text } = await write(texts.map(paragraph))
      for (const block of pages.flatMap((page) => page.blocks))
        expect(text.whole().slice(block.start, block.end)).toBe(block.text)
    }),
  )
})

it('cuts long text into bounded, well-formed pieces that lose nothing but spaces', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '😀', '\n'), minLength: 1, maxLength: 300 })
  fc.assert(
    fc.property(text, fc.integer({ min: 4, max: 40 }), (whole, limit) => {
      const pieces = [...cutText(whole, limit)]
      expect(pieces.every((piece) => piece.length <= limit && piece.isWellFormed())).toBe(true)
      expect(pieces.join('').replace(/\s/g, '')).toBe(whole.replace(/\s/g, ''))
    }),
  )
})
