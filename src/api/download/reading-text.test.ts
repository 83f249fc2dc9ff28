import fc from 'fast-check'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readingText, topLevelText } from './reading-text.ts'

/** The bytes in pieces of the given lengths, in turn. */
function* cut(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length]!
    yield bytes.subarray(at, at + length)
    at += length
  }
}

describe('the text of a stored reading', () => {
  it('is the value of the outermost "text", wherever the JSON is cut', async () => {
    const document = fc.record({ before: fc.jsonValue(), text: fc.string({ unit: 'binary' }), after: fc.jsonValue() })
    await fc.assert(
      fc.asyncProperty(
        document,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async ({ before, text, after }, lengths, isSpaced) => {
          const json = JSON.stringify(
            { pages: [{ text: 'inner' }], before, text, after: { text: after } },
            null,
            isSpaced ? 2 : 0,
          )
          const read = Readable.from(cut(Buffer.from(json), lengths)).pipe(topLevelText('text'))
          expect((await buffer(read)).toString()).toBe(text.toWellFormed())
        },
      ),
      { numRuns: 200 },
    )
  })

  it('is empty where there is none', async () => {
    const stored = zstdCompressSync(JSON.stringify({ schema: 'text', pages: [{ text: 'inner' }] }))
    expect((await buffer(readingText(Readable.from([stored])))).toString()).toBe('')
  })

  it('ends with an error when what is stored is no zstd or breaks off', async () => {
    const stored = zstdCompressSync(JSON.stringify({ text: 'x'.repeat(100_000) }))
    await expect(buffer(readingText(Readable.from([Buffer.from('no zstd at all')])))).rejects.toThrow(
      /frame|descriptor|magic|unsupported/i,
    )
    await expect(buffer(readingText(Readable.from([stored.subarray(0, stored.length - 5)])))).rejects.toThrow(
      'unexpected end of file',
    )
  })
})
