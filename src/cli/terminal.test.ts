import { expect, test } from 'vitest'
import { tableLines } from './table.ts'
import { count, duration, printable, size } from './terminal.ts'

test('names cannot steer the terminal', () => {
  expect(printable('a\u001b[31mb\u202ec\nd')).toBe('a\\u001B[31mb\\u202Ec\\u000Ad')
  expect(printable('Übersicht 日本 😀.pdf')).toBe('Übersicht 日本 😀.pdf')
})

test('figures are said as people say them', () => {
  expect([count(1, 'file'), count(2000, 'file'), count(0, 'entry', 'entries')]).toEqual([
    '1 file',
    '2,000 files',
    '0 entries',
  ])
  expect([size(0), size(1), size(999), size(3400), size(250_000_000), size(5e15)]).toEqual([
    '0 bytes',
    '1 byte',
    '999 bytes',
    '3.4 kB',
    '250 MB',
    '5000 TB',
  ])
  expect([duration(0.42), duration(59.6), duration(185), duration(7800)]).toEqual([
    '0.4 s',
    '1 min 00 s',
    '3 min 05 s',
    '2 h 10 min',
  ])
})

test('columns of a table line up', () => {
  const lines = tableLines<{ name: string; pages: number }>(
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'PAGES', align: 'right', value: ({ pages }) => String(pages) },
    ],
    [
      { name: 'a', pages: 12_345 },
      { name: 'longer', pages: 1 },
    ],
  )
  expect(lines).toEqual(['NAME    PAGES', 'a       12345', 'longer      1'])
})
