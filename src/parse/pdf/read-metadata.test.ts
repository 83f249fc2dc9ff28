import { expect, it } from 'vitest'
import { isoDate } from './read-metadata.ts'

it.each([
  ["D:20240131120000+01'00'", '2024-01-31T12:00:00+01:00'],
  ['D:20240131120000Z', '2024-01-31T12:00:00Z'],
  ['D:202401311200', '2024-01-31T12:00:00'],
  ['D:2024', '2024-01-01'],
  ['last Tuesday', 'last Tuesday'],
])('%s is %s', (value, iso) => {
  expect(isoDate(value)).toBe(iso)
})
