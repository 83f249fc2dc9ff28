import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ROOT } from './repository-files.ts'

const layers = JSON.parse(readFileSync(join(ROOT, 'layers.json'), 'utf8')) as Record<string, string[]>
const folders = readdirSync(join(ROOT, 'src')).sort()

/** Names of `src/<folder>` in ARCHITECTURE.md, each once. */
function foldersOfArchitecture(): string[] {
  const path = join(ROOT, 'ARCHITECTURE.md')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return [...new Set([...text.matchAll(/\bsrc\/([a-z]+)/g)].map((match) => match[1]!))].sort()
}

describe('layers.json', () => {
  test('lists exactly the folders of src/', () => {
    expect(Object.keys(layers).sort()).toEqual(folders)
  })

  test('allows only folders that exist', () => {
    const unknown = Object.values(layers).flatMap((allowed) => allowed.filter((name) => !(name in layers)))
    expect(unknown).toEqual([])
  })

  test('allows no two folders to stand on each other, directly or over others', () => {
    const reach = (from: string, seen = new Set<string>()): Set<string> => {
      for (const next of layers[from]!.filter((name) => !seen.has(name))) reach(next, seen.add(next))
      return seen
    }
    expect(Object.keys(layers).filter((folder) => reach(folder).has(folder))).toEqual([])
  })

  test('keeps the folders that look into documents pure: they stand on core alone', () => {
    const pure = Object.keys(layers).filter((folder) => ['parse', 'extract', 'analyze'].includes(folder))
    expect(pure).toContain('parse')
    expect(pure.map((folder) => layers[folder])).toEqual(pure.map(() => ['core']))
    expect(layers['core']).toEqual([])
  })
})

test('ARCHITECTURE.md names every folder of src/ and no other', () => {
  expect(foldersOfArchitecture()).toEqual(folders)
})
