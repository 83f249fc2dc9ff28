import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attachment } from './content-disposition.ts'
import { readRange } from './read-range.ts'

describe('a Range field', () => {
  it('never asks for bytes outside the content, whatever it says', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.stringMatching(/^bytes=\d{0,4}-\d{0,4}$/)),
        fc.integer({ min: 0, max: 2000 }),
        (field, size) => {
          const range = tryRange(field, size) ?? { start: 0, end: 1, isWhole: true }
          expect(range.start).toBeGreaterThanOrEqual(0)
          expect(range.start).toBeLessThan(range.end)
          expect('isWhole' in range || range.end <= size).toBe(true)
        },
      ),
    )
  })

  it.each([
    ['bytes=0-0', 5, { start: 0, end: 1 }],
    ['bytes=1-', 5, { start: 1, end: 5 }],
    ['bytes=-3', 5, { start: 2, end: 5 }],
    ['bytes=-9', 5, { start: 0, end: 5 }],
    ['bytes=2-1', 5, null],
    ['bytes=-', 5, null],
    ['bytes=0-1,3-4', 5, null],
    ['items=0-1', 5, null],
    [undefined, 5, null],
  ])('%s of %i bytes is %j', (field, size, range) => {
    expect(readRange(field, size)).toEqual(range)
  })

  it.each([
    ['bytes=5-', 5],
    ['bytes=9-10', 5],
    ['bytes=-0', 5],
    ['bytes=0-', 0],
  ])('%s of %i bytes cannot be served', (field, size) => {
    expect(() => readRange(field, size)).toThrow(expect.objectContaining({ code: 'range_not_satisfiable' }))
  })
})

/** Undefined when it cannot be served. */
function tryRange(field: string, size: number): ReturnType<typeof readRange> | undefined {
  try {
    return readRange(field, size)
  } catch {
    return undefined
  }
}

describe('the name of a download', () => {
  it('is a header field of printable ASCII for any path, and can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (path) => {
        const field = attachment(path)
        expect(field).toMatch(/^attachment; filename="[^"\\]*"; filename\*=UTF-8''[A-Za-z0-9!~*_.%-]+$/)
        expect(field).toMatch(/^[\x20-\x7e]+$/)
        expect(decodeURIComponent(field.split("UTF-8''")[1]!)).toBe(path.split('/').pop()!.toWellFormed() || 'document')
      }),
    )
  })
})
