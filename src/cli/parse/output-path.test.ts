import fc from 'fast-check'
import { expect, test } from 'vitest'
import { outputPaths } from './output-path.ts'

test('the ending comes behind the whole name', () => {
  const outputOf = outputPaths('/out', 'md')
  expect([outputOf('a/b.pdf'), outputOf('a/b.txt'), outputOf('c.zip/d/e.md')]).toEqual([
    '/out/a/b.pdf.md',
    '/out/a/b.txt.md',
    '/out/c.zip/d/e.md.md',
  ])
})

test('a path that comes twice gets a number', () => {
  const outputOf = outputPaths('/out', 'txt')
  expect([outputOf('a'), outputOf('a'), outputOf('a'), outputOf('a (2)')]).toEqual([
    '/out/a.txt',
    '/out/a (2).txt',
    '/out/a (3).txt',
    '/out/a (2) (2).txt',
  ])
})

test('every document has a place of its own that a file system takes', () => {
  const part = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 300 })
    .map((name) => name.replaceAll(/[/\0]/g, '_'))
    .filter((name) => !['.', '..'].includes(name))
  fc.assert(
    fc.property(fc.array(fc.array(part, { minLength: 1, maxLength: 3 }), { maxLength: 20 }), (paths) => {
      const outputOf = outputPaths('/out', 'json')
      const places = paths.map((parts) => outputOf(parts.join('/')))
      expect(new Set(places).size).toBe(places.length)
      for (const place of places) {
        expect(place.startsWith('/out/')).toBe(true)
        for (const name of place.split('/')) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255)
      }
    }),
  )
})
