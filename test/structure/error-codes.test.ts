import { expect, test } from 'vitest'
import { ERROR_CODES, ERRORS } from '../../src/core/index.ts'
import { isProductSource, isTestSource, listFiles, readText } from './repository-files.ts'

const files = listFiles()

function textOf(isWanted: (path: string) => boolean): string {
  return files
    .filter(isWanted)
    .map((path) => readText(path) ?? '')
    .join('\n')
}

function codesMissingFrom(text: string): string[] {
  return ERROR_CODES.filter((code) => !new RegExp(`['"\`]${code}['"\`]`).test(text))
}

test('every error code stands in docs/reference/errors.md, and every documented code exists', () => {
  const documented = [...(readText('docs/reference/errors.md') ?? '').matchAll(/^\| `(\w+)` \|/gm)].map(
    (row) => row[1]!,
  )
  expect(documented.sort()).toEqual([...ERROR_CODES].sort())
})

test('every error code is used by the product', () => {
  const product = textOf((path) => isProductSource(path) && path !== 'src/core/errors.ts')
  expect(codesMissingFrom(product)).toEqual([])
})

test('every error code is named in a test', () => {
  const tests = textOf((path) => isTestSource(path) && !path.startsWith('test/structure/'))
  expect(codesMissingFrom(tests)).toEqual([])
})

test('every error says in whole sentences what happened and what to do', () => {
  const isSentence = (text: string) => /^["A-Z].*\.$/.test(text)
  expect(ERROR_CODES.filter((code) => !isSentence(ERRORS[code].message) || !isSentence(ERRORS[code].action))).toEqual(
    [],
  )
})
