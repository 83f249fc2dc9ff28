import { expect, it } from 'vitest'
import { offsetFaults, readForTest, readWell } from '../../../test/files/parse/read-for-test.ts'

it('finds paragraphs between blank lines and pages between form feeds', async () => {
  const { reading } = await readWell('One\r\nmore  \r\n\r\n \r\nTwo\fThree\n', 'text/plain')
  expect(reading.pages.map((page) => page.blocks.map((block) => block.text))).toEqual([['One\nmore', 'Two'], ['Three']])
  expect(offsetFaults(reading)).toEqual([])
})

it('drops what PostgreSQL and JSON refuse', async () => {
  const { reading } = await readWell(`a${'word '.repeat(200)}\0\u0001end`, 'text/plain')
  expect(reading.text.endsWith('word end')).toBe(true)
})

it('cuts a huge single line into bounded blocks in linear time', async () => {
  const { reading } = await readWell('lorem ipsum '.repeat(100_000), 'text/plain')
  const blocks = reading.pages.flatMap((page) => page.blocks)
  expect(Math.max(...blocks.map((block) => block.text.length))).toBeLessThanOrEqual(8_000)
  expect(reading.pages.length).toBeGreaterThan(1)
  expect(offsetFaults(reading)).toEqual([])
})

it('cuts text over the limit and says so', async () => {
  const { reading, end } = await readWell('one\n\ntwo\n\nthree', 'text/plain', { maxTextBytes: 9 })
  expect(reading.text).toBe('one\n\ntwo')
  expect(end.issues.map((issue) => issue.code)).toEqual(['text_limits'])
})

it('tells the language if there is enough text, and says when there is none', async () => {
  const german = 'Dieser Vertrag wird zwischen den Parteien geschlossen und tritt mit der Unterschrift in Kraft.'
  expect((await readWell(german, 'text/plain')).reading.language).toBe('de')
  const { end } = await readWell(' \n ', 'text/plain')
  expect(end).toMatchObject({ language: null, words: 0, issues: [{ code: 'no_text' }] })
})

it('says when the encoding was guessed, and fails for what is no text', async () => {
  const { end } = await readWell(Buffer.from("d\xe9j\xe0 vu \xe0 l'\xe9cole", 'latin1'), 'text/plain')
  expect(end.issues.map((issue) => issue.code)).toEqual(['encoding_guessed'])
  const failed = await readForTest(Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'), 'text/plain')
  expect(failed.end).toMatchObject({ outcome: 'failed', code: 'unsupported_type' })
})
