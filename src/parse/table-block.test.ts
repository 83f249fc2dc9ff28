import { expect, it } from 'vitest'
import { makeTableBlock, plainCell } from './table-block.ts'

it('places cells beside those that span from above', () => {
  const { text, table } = makeTableBlock(
    [
      [
        { text: 'A', rowSpan: 2, columnSpan: 1 },
        { text: 'B', rowSpan: 1, columnSpan: 2 },
      ],
      [plainCell('c'), plainCell('d')],
    ],
    1,
  )
  expect(text).toBe('A\tB\n\tc\td')
  expect(table).toMatchObject({ rows: 2, columns: 3, header: 1 })
  expect(table!.cells.map(({ row, column, rowSpan, columnSpan }) => [row, column, rowSpan, columnSpan])).toEqual([
    [0, 0, 2, 1],
    [0, 1, 1, 2],
    [1, 1, 1, 1],
    [1, 2, 1, 1],
  ])
})

it('keeps a cell on one line without tabs', () => {
  expect(makeTableBlock([[plainCell('a\tb\nc'), plainCell('d')]], 0).text).toBe('a b c\td')
})

it('bounds spans by the table', () => {
  const { table } = makeTableBlock([[{ text: 'x', rowSpan: 1e9, columnSpan: 1e9 }]], 0)
  expect(table!.cells[0]).toMatchObject({ rowSpan: 1, columnSpan: 1_000 })
})
