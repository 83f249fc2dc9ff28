import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { offsetFaults, readWell } from '../../../test/files/parse/read-for-test.ts'

async function blocksOf(html: string) {
  const { reading } = await readWell(html, 'text/html')
  expect(offsetFaults(reading)).toEqual([])
  return reading.pages.flatMap((page) =>
    page.blocks.map(({ type, level, text }) => (level === undefined ? [type, text] : [type, level, text])),
  )
}

it('finds headings, paragraphs, lists and preformatted text; white space as browsers show it', async () => {
  const html =
    '<h2>Big\n  one</h2>loose <b>te</b>xt<p>a &amp; b&nbsp;c<br>second<ul><li>x<li>y</ul><ol start=3><li><p>z</p></ol><pre>\n a\n  b\n</pre>'
  expect(await blocksOf(html)).toEqual([
    ['heading', 2, 'Big one'],
    ['paragraph', 'loose text'],
    ['paragraph', 'a & b c\nsecond'],
    ['list_item', 'x'],
    ['list_item', 'y'],
    ['list_item', '3. z'],
    ['code', ' a\n  b'],
  ])
})

it('drops scripts, styles, templates and comments', async () => {
  expect(
    await blocksOf(
      'a<script>if (a < b) "<p>no</p>"</script><style>p{}</style><template><p>no</p></template><!-- no -->b<svg><svg></svg><text>no</text></svg>',
    ),
  ).toEqual([['paragraph', 'ab']])
})

it('takes title, language and metadata from the head', async () => {
  const { reading } = await readWell(
    '<html lang="de-AT"><head><title>A &amp; B</title><meta name="author" content="C"></head><body>x</body></html>',
    'text/html',
  )
  expect([reading.title, reading.language, reading.metadata.author, reading.text]).toEqual(['A & B', 'de', 'C', 'x'])
})

it('uses the encoding the document names', async () => {
  const { reading, end } = await readWell(Buffer.from('<meta charset=iso-8859-7><p>\xe1\xe2', 'latin1'), 'text/html')
  expect(reading.text).toBe('αβ')
  expect(end.issues).toEqual([])
})

describe('tables', () => {
  it('keep spans and header rows', async () => {
    const html =
      '<table><caption>Sums</caption><thead><tr><th rowspan=2>A<th colspan=2>B</tr><tr><th>c<th>d</tr></thead><tr><td>1<td><p>2</p><p>3</p><td>4</table>after'
    const { reading } = await readWell(html, 'text/html')
    const [caption, block, after] = reading.pages[0]!.blocks
    expect([caption!.type, caption!.text, after!.text]).toEqual(['caption', 'Sums', 'after'])
    expect(block!.text).toBe('A\tB\n\tc\td\n1\t2 3\t4')
    expect(block!.table).toMatchObject({ rows: 3, columns: 3, header: 2 })
  })

  it('inside a cell become text of the cell', async () => {
    const { reading } = await readWell(
      '<table><tr><td>a<table><tr><td>b</td><td>c</td></tr></table>d</td><td>e</td></tr></table>',
      'text/html',
    )
    expect(reading.text).toBe('a b c d\te')
  })

  it('without text are left out', async () => {
    expect(await blocksOf('<table><tr><td> </td></tr></table>x')).toEqual([['paragraph', 'x']])
  })
})

it('is linear on deep and unbalanced nesting', async () => {
  const deep = '<div><b><table><tr><td><ul>'.repeat(40_000)
  expect(await blocksOf(`${deep}x${'</i></p></div>'.repeat(40_000)}`)).toEqual([['table', 'x']])
})

it('cuts its blocks out of the text, for any markup', async () => {
  const piece = fc.constantFrom(
    '<p>',
    '</p>',
    '<table>',
    '<tr>',
    '<td>',
    '<td rowspan=3 colspan=2>',
    '</td>',
    '</table>',
    '<li>',
    '<ol>',
    '</ol>',
    '<pre>',
    '<h1>',
    '</h1>',
    '<script>',
    '</script>',
    '<br>',
    'a',
    ' ',
    '\n',
    '&amp;',
    '&#0;',
    '&#xD800;',
    '<',
    '<!--',
    '-->',
    '<title>',
    '</title>',
    '<a href="',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
      expect(await blocksOf(pieces.join(''))).toBeInstanceOf(Array)
    }),
  )
})
