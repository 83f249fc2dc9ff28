import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cleanText, collapseSpace } from './clean-text.ts'

it('keeps line ends and tabs, drops NUL, other control characters and lone surrogates', () => {
  expect(cleanText('\ufeffa\0b\u0007c\td\r\ne\ud83df\udc00g😀')).toBe('abc\td\r\nefg😀')
})

it('is well formed and stays as it is a second time, for any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string(), (one, other) => {
      const clean = cleanText(one + '\ud800' + other)
      expect(clean.isWellFormed()).toBe(true)
      expect(clean).not.toContain('\0')
      expect(cleanText(clean)).toBe(clean)
    }),
  )
})

it('makes one line', () => {
  expect(collapseSpace('  a\n\t b ')).toBe('a b')
})
