import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cleanLabel, LABEL_CHARACTERS, labelKey, showLabel } from './names.ts'

describe('cleanLabel', () => {
  test.each([
    ['a/b.pdf', 'a/b.pdf'],
    ['a\\b.pdf', 'a/b.pdf'],
    ['../../etc/passwd', 'etc/passwd'],
    ['/etc/passwd', 'etc/passwd'],
    ['C:\\Users\\x\\b.pdf', 'Users/x/b.pdf'],
    ['C:b.pdf', 'b.pdf'],
    ['../C:/D:../x', 'x'],
    ['\\\\server\\share\\x.pdf', 'server/share/x.pdf'],
    ['\\\\?\\C:\\x.pdf', 'x.pdf'],
    ['./a//./b/', 'a/b'],
    ['a/   /b', 'a/b'],
    ['evil\0.pdf', 'evil\uFFFD.pdf'],
    ['a\r\nSet-Cookie: x', 'a\uFFFD\uFFFDSet-Cookie: x'],
    ['a\u0085b\u007f', 'a\uFFFDb\uFFFD'],
    ['\ud83d.pdf', '\uFFFD.pdf'],
    ['😀 résumé.pdf', '😀 résumé.pdf'],
    ['-rf', '-rf'],
    ['.hidden', '.hidden'],
    ['...', '...'],
    ['CON', 'CON'],
    ['=cmd()', '=cmd()'],
    ['<img onerror=x>', '<img onerror=x>'],
    ['a\u202Efdp.exe', 'a\u202Efdp.exe'],
    [' a ', ' a '],
  ])('%j becomes %j', (given, expected) => {
    expect(cleanLabel(given)).toBe(expected)
  })

  test.each(['', ' ', '/', '..', '../..', 'C:', 'C:\\', '\\\\', ' / \\ ', '\u3000'])(
    '%j has nothing usable',
    (given) => {
      expect(cleanLabel(given)).toBeNull()
    },
  )

  test('keeps 1,024 characters, never half of one', () => {
    expect(cleanLabel('😀'.repeat(1024))).toBe('😀'.repeat(1024))
    expect(cleanLabel('a' + '😀'.repeat(2000))).toBe('a' + '😀'.repeat(1023))
    expect(cleanLabel(`${'a'.repeat(1021)}/..b`)).toBe('a'.repeat(1021))
  })

  const name = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc
      .array(
        fc.constantFrom(
          '..',
          '.',
          '/',
          '\\',
          'C:',
          ' ',
          '\0',
          '\ud800',
          '\udc00',
          'é',
          'e\u0301',
          '\u202E',
          'x'.repeat(600),
          '😀',
        ),
        { maxLength: 30 },
      )
      .map((parts) => parts.join('')),
  )

  test('a label is a safe relative path and stays what it is', () => {
    fc.assert(
      fc.property(name, (given) => {
        const label = cleanLabel(given)
        if (label === null) return
        expect(cleanLabel(label)).toBe(label)
        expect(label.isWellFormed()).toBe(true)
        expect(label).not.toMatch(/\p{Cc}|\\/u)
        expect(label.split('/')).not.toContain('..')
        expect(label).not.toMatch(/^\/|^[A-Za-z]:|\/\/|\/$/)
        expect(Array.from(label).length).toBeLessThanOrEqual(LABEL_CHARACTERS)
      }),
      { numRuns: 500 },
    )
  })
})

test('labelKey is the same for composed and decomposed names, and for nothing else', () => {
  expect(labelKey('re\u0301sume\u0301')).toBe(labelKey('r\u00e9sum\u00e9'))
  expect(labelKey('A.pdf')).not.toBe(labelKey('a.pdf'))
})

test('showLabel leaves no bidi control', () => {
  expect(showLabel('a\u202Efdp.exe')).toBe('a\\u202Efdp.exe')
  expect(showLabel('\u061cx\u2067y\u2028')).toBe('\\u061Cx\\u2067y\\u2028')
  expect(showLabel('résumé 😀')).toBe('résumé 😀')
})
