import fc from 'fast-check'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { walkInputs } from './walk.ts'

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-walk-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

async function folder(name: string, paths: readonly (string | Buffer)[]): Promise<string> {
  const top = join(root, name)
  await mkdir(top, { recursive: true })
  for (const path of paths) {
    const full = Buffer.concat([Buffer.from(`${top}/`), Buffer.from(path as string)])
    if (typeof path === 'string') await mkdir(join(top, dirname(path)), { recursive: true })
    await writeFile(full, String(path))
  }
  return top
}

const labels = async (...inputs: string[]): Promise<string[]> =>
  (await walkInputs(inputs)).files.map((file) => file.label)

describe('files of the input', () => {
  test('a folder gives labels relative to itself, in the order of bytes', async () => {
    const top = await folder('order', ['a/b.txt', 'a.txt', 'B.txt', 'ä.txt', 'a/b/c.txt', '.hidden', 'z'])
    expect(await labels(top)).toEqual(['.hidden', 'B.txt', 'a.txt', 'a/b.txt', 'a/b/c.txt', 'z', 'ä.txt'])
  })

  test('several inputs keep their names and the order in which they were given', async () => {
    const second = await folder('second', ['x.txt'])
    const first = await folder('first', ['b/y.txt', 'a.txt'])
    expect(await labels(second, first, join(first, 'a.txt'))).toEqual([
      'second/x.txt',
      'first/a.txt',
      'first/b/y.txt',
      'a.txt',
    ])
  })

  test('a file that was named gives its base name', async () => {
    const top = await folder('single', ['deep/er/file.txt'])
    expect((await walkInputs([join(top, 'deep/er/file.txt')])).files).toMatchObject([
      { label: 'file.txt', bytes: 16, file: join(top, 'deep/er/file.txt') },
    ])
  })

  test('links inside a folder are not followed, a link that was named is', async () => {
    const outside = await folder('outside', ['secret.txt'])
    const top = await folder('links', ['a.txt'])
    await symlink(outside, join(top, 'folder-link'))
    await symlink(join(outside, 'secret.txt'), join(top, 'file-link'))
    await symlink(top, join(top, 'loop'))
    expect(await labels(top)).toEqual(['a.txt'])
    expect(await labels(join(top, 'folder-link'))).toEqual(['secret.txt'])
  })

  test('what file managers and git leave behind is left out, at any depth', async () => {
    const top = await folder('litter', ['.DS_Store', 'a/.DS_Store', '.git/config', 'a/.gitignore', 'a/b.txt'])
    expect(await labels(top)).toEqual(['a/.gitignore', 'a/b.txt'])
  })

  test('folders that are left out are not entered', async () => {
    const top = await folder('left', ['out/results.csv', 'out2/x.txt', 'a.txt'])
    expect((await walkInputs([top], [join(top, 'out')])).files.map((file) => file.label)).toEqual([
      'a.txt',
      'out2/x.txt',
    ])
  })

  test('a name that is not UTF-8 can still be opened', async () => {
    const top = await folder('bytes', [Buffer.from([0x66, 0xff, 0x2e, 0x74])])
    const { files } = await walkInputs([top])
    expect(files).toHaveLength(1)
    expect(files[0]!.label).toBe('f\uFFFD.t')
    expect(Buffer.isBuffer(files[0]!.file) && files[0]!.file.includes(0xff)).toBe(true)
  })

  test('an input that is not there is an error', async () => {
    await expect(walkInputs([join(root, 'nothing')])).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

test('every file is found exactly once, whatever the names are', async () => {
  const part = fc
    .string({
      unit: fc.constantFrom('a', 'b', 'A', 'B', '.', '-', ' ', '_', 'é', '日', '\n', '"'),
      minLength: 1,
      maxLength: 6,
    })
    .filter((name) => name !== '.' && name !== '..')
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(part, part), { maxLength: 8, selector: (parts) => parts.join('/') }),
      async (pairs) => {
        // a folder `x` never meets a file `x`: every folder's name ends in d, every file's in f
        const paths = pairs.map(([directory, file]) => `${directory}d/${file}f`)
        const found = await labels(await folder(`any-${run++}`, paths))
        expect(found).toEqual([...new Set(paths)].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
      },
    ),
    { numRuns: 30 },
  )
})
