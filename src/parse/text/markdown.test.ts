import fc from 'fast-check'
import { expect, it } from 'vitest'
import { offsetFaults, readWell } from '../../../test/files/parse/read-for-test.ts'
import { plainInline } from './markdown.ts'

async function blocksOf(markdown: string) {
  const { reading } = await readWell(markdown, 'text/markdown')
  expect(offsetFaults(reading)).toEqual([])
  return reading.pages.flatMap((page) =>
    page.blocks.map(({ type, level, text }) => (level === undefined ? [type, text] : [type, level, text])),
  )
}

it('finds headings of both forms', async () => {
  expect(await blocksOf('# One #\n\nTwo\n---\nText\n\nThree\n===')).toEqual([
    ['heading', 1, 'One'],
    ['heading', 2, 'Two'],
    ['paragraph', 'Text'],
    ['heading', 1, 'Three'],
  ])
})

it('finds list items, code and quotes', async () => {
  expect(await blocksOf('- a\n  goes on\n- b\n3. c\n\n> said\n> so\n\n```js\n# no heading\n```\n* * *')).toEqual([
    ['list_item', 'a\ngoes on'],
    ['list_item', 'b'],
    ['list_item', '3. c'],
    ['paragraph', 'said\nso'],
    ['code', '# no heading'],
  ])
})

it('finds pipe tables', async () => {
  const { reading } = await readWell('| a | b |\n|---|:-:|\n| 1 | x \\| y |\n', 'text/markdown')
  expect(reading.pages[0]!.blocks[0]).toMatchObject({
    type: 'table',
    text: 'a\tb\n1\tx | y',
    table: { rows: 2, columns: 2, header: 1 },
  })
})

it('takes the title from the front matter, else from the first heading', async () => {
  const { reading } = await readWell('---\ntitle: "Plan"\nauthor: A\n---\n# Head', 'text/markdown')
  expect([reading.title, reading.metadata.author, reading.text]).toEqual(['Plan', 'A', 'Head'])
  expect((await readWell('## Sub\n\n# Head', 'text/markdown')).reading.title).toBe('Head')
})

it.each([
  ['**bold** and *light*, __both__', 'bold and light, both'],
  ['[text](http://a.b/c "T") ![picture](p.png)', 'text picture'],
  ['`code` snake_case_name 2 * 3 * 4', 'code snake_case_name 2 * 3 * 4'],
  ['\\*not\\* <https://a.b>', '*not* https://a.b'],
])('%s', (marked, plain) => {
  expect(plainInline(marked)).toBe(plain)
})

it('cuts its blocks out of the text, for any text', async () => {
  const piece = fc.constantFrom(
    '# ',
    'a',
    ' ',
    '\n',
    '\n\n',
    '- ',
    '1. ',
    '|',
    '|-|\n',
    '```\n',
    '> ',
    '*',
    '_',
    '[',
    '](',
    ')',
    '---\n',
    '\\',
    '`',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
      expect(await blocksOf(pieces.join(''))).toBeInstanceOf(Array)
    }),
  )
})

it('is linear on hostile marks', async () => {
  for (const mark of ['[', '*a', 'a`', '<', '|-', '![](', '_a']) {
    const blocks = await blocksOf(`${mark.repeat(4_900 / mark.length)}\n`.repeat(20))
    expect(blocks.length).toBeGreaterThan(0)
  }
})
