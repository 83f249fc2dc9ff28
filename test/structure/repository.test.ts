import { expect, test } from 'vitest'
import { findAll, isTestSource, listFiles, readText } from './repository-files.ts'

const files = listFiles()
/** Documents that tests read may hold anything. */
const sources = files.filter(
  (path) => !/^(test\/files|test\/golden|assets)\//.test(path) && path !== 'package-lock.json',
)

function search(paths: string[], pattern: RegExp): string[] {
  return paths.flatMap((path) => findAll(path, readText(path) ?? '', pattern))
}

const tests = files.filter((path) => isTestSource(path) && path !== 'test/structure/repository.test.ts')

test('no file holds a path of a developer machine', () => {
  const homes = ['work/[a-z]', 'root/[a-z.]', 'home/(?!node\\b|sheaf\\b)[a-z]', 'Users/[a-z]', 'private/var/']
  expect(search(sources, new RegExp(`(?<![\\w.:/~*-])/(${homes.join('|')})\\S*`, 'gi'))).toEqual([])
})

test('no test is skipped, singled out or left for later', () => {
  expect(search(tests, /\b(?:test|it|describe|suite)\.(?:skip|only|todo|fails|skipIf|runIf)\b/g)).toEqual([])
})

test('no test replaces a module', () => {
  expect(search(tests, /\bvi\.(?:mock|doMock|hoisted)\s*\(/g)).toEqual([])
})

test('no test sleeps longer than a polling step of 100 ms', () => {
  const sleeps =
    /\b(?:setTimeout\(\s*(?:resolve|done|res|r|ok)\s*,|await\s+(?:setTimeout|delay|sleep|wait|pause)\()\s*([\d_]+)/g
  const long = search(tests, sleeps).filter((found) => Number(/([\d_]+)$/.exec(found)![1]!.replaceAll('_', '')) > 100)
  expect(long).toEqual([])
})

test('no file is named after no thing in particular', () => {
  expect(files.filter((path) => /(^|\/)(utils?|helpers?|common|manager|misc|types)(\.[a-z.]+|\/)/.test(path))).toEqual(
    [],
  )
})
