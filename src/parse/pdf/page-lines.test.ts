import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PageCharacters } from './page-characters.ts'
import type { PageGeometry } from './page-geometry.ts'
import { buildLines } from './page-lines.ts'

const PAGE: PageGeometry = { width: 600, height: 800, rotation: 0, left: 0, bottom: 0, right: 600, top: 800 }

/** Characters of 5 × 10 pt side by side; a line feed starts a line 12 pt lower. */
function typeset(codes: readonly number[], drop = 12): PageCharacters {
  const boxes = new Float32Array(codes.length * 4)
  let [x, y] = [50, 700]
  codes.forEach((code, index) => {
    boxes.set([x, y, x + 5, y + 10], index * 4)
    x += 5
    if (code === 0x0a) [x, y] = [50, y - drop]
  })
  return { count: codes.length, codes: Uint32Array.from(codes), boxes, turns: new Uint8Array(codes.length) }
}

const codesOf = (text: string) => [...text].map((character) => character.codePointAt(0)!)
const linesOf = (codes: readonly number[]) => buildLines(typeset(codes), PAGE).map((line) => line.text)

it('splits at spaces and line breaks and puts boxes around words and lines', () => {
  const lines = buildLines(typeset(codesOf('To be\r\nor')), PAGE)
  expect(lines).toEqual([
    {
      text: 'To be',
      box: [50, 90, 75, 100],
      words: [
        { text: 'To', box: [50, 90, 60, 100] },
        { text: 'be', box: [65, 90, 75, 100] },
      ],
    },
    { text: 'or', box: [50, 102, 60, 112], words: [{ text: 'or', box: [50, 102, 60, 112] }] },
  ])
})

it('drops NUL, control characters, byte order marks and lone surrogates', () => {
  expect(linesOf([0x61, 0, 0x62, 0xd83d, 0x63, 0xde00, 0x07, 0xfeff, 0x64, 0xffff])).toEqual(['abcd'])
})

it('joins surrogate pairs and writes code points beyond the first plane', () => {
  expect(linesOf([0xd83d, 0xde00, 0x20, 0x1f600])).toEqual(['😀 😀'])
})

it('takes ligatures apart', () => {
  expect(linesOf([0x6f, 0xfb03, 0x63, 0x65])).toEqual(['office'])
})

it('ends the line after the hyphen of a broken word, soft or marked by PDFium', () => {
  expect(linesOf([0x61, 0x62, 0x02, 0x63, 0x64])).toEqual(['ab-', 'cd'])
  expect(linesOf([0x61, 0xad, 0x0d, 0x0a, 0x62])).toEqual(['a-', 'b'])
})

it('drops soft hyphens inside a line', () => {
  expect(linesOf([0x61, 0xad, 0x62])).toEqual(['ab'])
})

it('breaks the line at a word that stands below it', () => {
  const characters = typeset(codesOf('one two'))
  for (let index = 4; index < 7; index++) characters.boxes.set([50 + index * 5, 650, 55 + index * 5, 660], index * 4)
  expect(buildLines(characters, PAGE).map((line) => line.text)).toEqual(['one', 'two'])
})

it('does not break sideways text, whose words stand below each other', () => {
  const characters = typeset(codesOf('one two'))
  for (let index = 4; index < 7; index++) characters.boxes.set([50, 650, 60, 655], index * 4)
  characters.turns.fill(1)
  expect(buildLines(characters, PAGE).map((line) => line.text)).toEqual(['one two'])
})

it('yields well-formed text whose lines are their words, for any code points', () => {
  const code = fc.oneof(
    fc.integer({ min: 0, max: 0x10ffff }),
    fc.constantFrom(0x02, 0x0a, 0x0d, 0x20, 0xad, 0xd83d, 0xde00, 0xfb03),
  )
  fc.assert(
    fc.property(fc.array(code, { maxLength: 80 }), (codes) => {
      for (const line of buildLines(typeset(codes), PAGE)) {
        expect(line.text).toBe(line.words.map((word) => word.text).join(' '))
        expect(line.text.isWellFormed()).toBe(true)
        expect(line.text).not.toContain('\0')
        expect(line.words.every((word) => word.text !== '')).toBe(true)
      }
    }),
  )
})
