import fc from 'fast-check'
import { expect, it } from 'vitest'
import { countWords } from './count-words.ts'

it.each([
  ['', 0],
  ['To be, or not to be', 6],
  ["don't state-of-the-art 1,250.00", 3],
  ['– — … 。 !', 0],
  ['naïve Ærø Привет мир שלום', 5],
  ['end.Next', 1],
  ['a - b', 2],
  ['我喜欢读书', 3],
  ['これはペンです', 4],
  ['Version 2 では', 3],
])('%s', (text, words) => {
  expect(countWords(text).words).toBe(words)
})

it('counts a pair of surrogates as one character', () => {
  expect(countWords('a😀b').characters).toBe(3)
})

it('counts the words of texts joined by a space like those of its parts', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'B', '7', ' ', '.', "'", '-', 'é', '我', '\n') })
  fc.assert(
    fc.property(text, text, (one, other) => {
      expect(countWords(`${one} ${other}`).words).toBe(countWords(one).words + countWords(other).words)
    }),
  )
})
