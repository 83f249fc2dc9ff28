import { expect, it } from 'vitest'
import type { Block, Reading } from '../core/index.ts'
import { renderMarkdown, renderText } from './render-markdown.ts'
import { makeTableBlock, plainCell } from './table-block.ts'

function readingOf(...blocks: (Partial<Block> & Pick<Block, 'type' | 'text'>)[]): Reading {
  const placed = blocks.map((block, index): Block => ({
    id: `p1b${index + 1}`,
    box: [0, 0, 0, 0],
    start: 0,
    end: 0,
    ...block,
  }))
  return {
    schema: 'sheaf.document/1',
    path: '',
    mediaType: '',
    sha256: '',
    language: null,
    title: null,
    metadata: {},
    text: '',
    issues: [],
    pages: [{ number: 1, width: 0, height: 0, unit: 'pt', rotation: 0, source: 'text', blocks: placed }],
  }
}
const markdown = (...blocks: Parameters<typeof readingOf>) =>
  renderMarkdown(readingOf(...blocks), { furniture: 'drop' })

it('renders headings by level, lists and code', () => {
  expect(
    markdown(
      { type: 'title', text: 'Report' },
      { type: 'heading', level: 3, text: 'Two\nlines' },
      { type: 'list_item', text: '• one' },
      { type: 'list_item', text: '2. two' },
      { type: 'paragraph', text: 'Text' },
      { type: 'code', text: 'a ``` b' },
    ),
  ).toBe('# Report\n\n### Two lines\n\n- one\n2. two\n\nText\n\n````\na ``` b\n````\n')
})

it('renders a table as a pipe table, with an empty header row where it has none', () => {
  const rows = [[plainCell('a|b'), plainCell('c')], [plainCell('1')]]
  expect(markdown(makeTableBlock(rows, 1))).toBe('| a\\|b | c |\n| --- | --- |\n| 1 |  |\n')
  expect(markdown(makeTableBlock(rows, 0))).toBe('|  |  |\n| --- | --- |\n| a\\|b | c |\n| 1 |  |\n')
})

it('renders a table with spans as HTML', () => {
  const table = makeTableBlock([[{ text: 'a < b', rowSpan: 1, columnSpan: 2 }], [plainCell('1'), plainCell('2')]], 1)
  expect(markdown(table)).toBe(
    '<table>\n<tr><th colspan="2">a &lt; b</th></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>\n',
  )
})

it('makes words whole that a line end cut, in text that has lines', () => {
  const text = 'an inter-\nnational UN-\nMission of sub-\nways'
  expect(markdown({ type: 'paragraph', text, lines: [] })).toBe('an international\nUN-\nMission of subways\n')
  expect(markdown({ type: 'paragraph', text })).toBe(`${text}\n`)
})

it('leaves furniture out or keeps it', () => {
  const reading = readingOf(
    { type: 'header', text: 'Acme' },
    { type: 'paragraph', text: 'Text' },
    { type: 'page_number', text: '7' },
  )
  expect(renderText(reading, { furniture: 'drop' })).toBe('Text\n')
  expect(renderText(reading, { furniture: 'keep' })).toBe('Acme\n\nText\n\n7\n')
  expect(renderMarkdown(reading, { furniture: 'keep' })).toBe('Acme\n\nText\n\n7\n')
})

it('renders nothing as nothing', () => {
  expect(markdown()).toBe('')
  expect(renderText(readingOf(), { furniture: 'keep' })).toBe('')
})
