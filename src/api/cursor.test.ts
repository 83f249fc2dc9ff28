import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashApiKey, isWellFormedKey, makeApiKey } from '../core/index.ts'
import { readCursor, signCursor } from './cursor.ts'
import { etagOf, readIfMatch, requireIfMatch } from './etag.ts'
import { isTooDeep } from './json-body.ts'
import type { Caller } from './caller.ts'

const caller = (credential: string): Caller => ({
  workspaceId: '01890000-0000-7000-8000-000000000000',
  userId: null,
  keyId: 'k',
  credential,
})

describe('a cursor', () => {
  it('names the place it was made for, to its owner and in its list', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (place, list) => {
        const cursor = signCursor(caller('a'), list, place)
        expect(JSON.stringify(readCursor(caller('a'), list, cursor))).toBe(JSON.stringify(place))
        expect(() => readCursor(caller('b'), list, cursor)).toThrow('cursor')
        expect(() => readCursor(caller('a'), `${list}.`, cursor)).toThrow('cursor')
      }),
    )
  })

  it('cannot be changed or made up', () => {
    const cursor = signCursor(caller('a'), 'list', [1, 2, 3])
    fc.assert(
      fc.property(fc.nat(cursor.length - 1), fc.constantFrom('A', 'b', '_', '.', '=', ' '), (at, character) => {
        const changed = cursor.slice(0, at) + character + cursor.slice(at + 1)
        fc.pre(changed !== cursor)
        expect(() => readCursor(caller('a'), 'list', changed)).toThrow(expect.objectContaining({ code: 'bad_request' }))
      }),
    )
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => readCursor(caller('a'), 'list', text)).toThrow(expect.objectContaining({ code: 'bad_request' }))
      }),
    )
  })
})

describe('If-Match', () => {
  it('names the versions of its strong tags', () => {
    fc.assert(
      fc.property(fc.nat(), (version) => {
        expect(readIfMatch(etagOf(version))).toEqual([version])
      }),
    )
    expect(readIfMatch(undefined)).toBeNull()
    expect(readIfMatch('*')).toBe('any')
    expect(readIfMatch('"1", W/"2" ,"x","3"')).toEqual([1, 3])
    expect(() => requireIfMatch(undefined)).toThrow(expect.objectContaining({ code: 'if_match_required' }))
  })

  it.each(['', '1', '"1', '"1" "2"', '"1",', 'W/1'])('%j is refused', (field) => {
    expect(() => readIfMatch(field)).toThrow(expect.objectContaining({ code: 'bad_request' }))
  })
})

describe('an API key', () => {
  it('is told from a mistyped one without the database', () => {
    const key = makeApiKey()
    expect(isWellFormedKey(key)).toBe(true)
    expect(hashApiKey(key)).toHaveLength(32)
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom('A', 'b', '0', '-'), (at, character) => {
        fc.pre(key[at] !== character)
        expect(isWellFormedKey(key.slice(0, at) + character + key.slice(at + 1))).toBe(false)
      }),
    )
  })
})

describe('the depth of JSON', () => {
  it('is that of its nesting, whatever its strings hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value)
        const depth = depthOf(JSON.parse(text))
        expect(isTooDeep(text, depth)).toBe(false)
        expect(isTooDeep(text, depth - 1)).toBe(depth > 0)
      }),
    )
  })
})

function depthOf(value: unknown): number {
  return typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0
}
