import fc from 'fast-check'
import { expect, it } from 'vitest'
import { offsetFaults, readWell } from '../../../test/files/parse/read-for-test.ts'
import { detectDelimiter } from './delimited.ts'

it('gives one table with its header row', async () => {
  const { reading } = await readWell('name;amount\n"Müller; Co";12,50\n"a ""b""\nc";3\n', 'text/csv')
  const [block] = reading.pages[0]!.blocks
  expect(block!.text).toBe('name\tamount\nMüller; Co\t12,50\na "b" c\t3')
  expect(block!.table).toMatchObject({ rows: 3, columns: 2, header: 1 })
  expect(reading.metadata.delimiter).toBe('semicolon')
})

it('has no header row when the first row holds numbers', async () => {
  const { reading } = await readWell('1,2\n3,4\n', 'text/csv')
  expect(reading.pages[0]!.blocks[0]!.table!.header).toBe(0)
})

it('takes rows of different length', async () => {
  const { reading } = await readWell('a,b\n1\n1,2,3\n', 'text/csv')
  expect(reading.pages[0]!.blocks[0]!.table).toMatchObject({ rows: 3, columns: 3 })
})

it('reads tabs in TSV whatever else is frequent', async () => {
  const { reading } = await readWell('a,b\tc,d\ne,f\tg,h\n', 'text/tab-separated-values')
  expect(reading.pages[0]!.blocks[0]!.table!.columns).toBe(2)
})

it.each([
  ['a,b\nc,d', ','],
  ['a;b,c\nd;e', ';'],
  ['a\tb\nc\td', '\t'],
  ['a|b\nc|d', '|'],
  ['"a;b",c\n"d;e",f', ','],
  ['plain', ','],
])('delimiter of %j', (sample, delimiter) => {
  expect(detectDelimiter(sample)).toBe(delimiter)
})

it('begins a page every 1,000 rows', async () => {
  const rows = Array.from({ length: 2_500 }, (_, index) => `row ${index},${index}`).join('\n')
  const { reading } = await readWell(`name,value\n${rows}`, 'text/csv')
  expect(reading.pages.map((page) => page.blocks[0]!.table!.rows)).toEqual([1_000, 1_000, 501])
  expect(offsetFaults(reading)).toEqual([])
})

it('keeps quoted cells whole across the pieces the parser sees', async () => {
  const rows = Array.from({ length: 6_000 }, (_, index) => `"row\n${index}, with comma",${index}`).join('\n')
  const { reading } = await readWell(rows, 'text/csv')
  const cells = reading.pages.flatMap((page) => page.blocks.flatMap((block) => block.table!.cells))
  expect(cells).toHaveLength(12_000)
  expect(cells.at(-2)!.text).toBe('row 5999, with comma')
})

it('reads a file with a quote that is never closed, and says so', async () => {
  const { reading, end } = await readWell(`a,b\n1,"open\n${'2,3\n'.repeat(100)}`, 'text/csv')
  expect(end.issues.map((issue) => issue.code)).toEqual(['table_repaired'])
  expect(reading.pages[0]!.blocks[0]!.table!.rows).toBe(102)
})

it('gives back simple cells as they were written', async () => {
  const cell = fc.stringMatching(/^[a-z0-9]{1,8}$/)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 20 }), async (rows) => {
      const { reading } = await readWell(rows.map((row) => row.join(',')).join('\n'), 'text/csv')
      expect(reading.text).toBe(rows.map((row) => row.join('\t')).join('\n'))
    }),
  )
})
