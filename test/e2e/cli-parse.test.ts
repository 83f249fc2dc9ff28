import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jsonLines, writeLetters } from './letters.ts'
import { sheaf } from './sheaf-process.ts'

let root: string
let input: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cli-'))
  input = join(root, 'letters')
  await writeLetters(input)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('sheaf parse', () => {
  const parsed = (name: string): string => join(root, name)

  test('writes each document beside its path, and the failures as lines', async () => {
    const out = parsed('markdown')
    const ended = await sheaf(['parse', input, '--out', out])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('errors.jsonl')
    expect(await readFile(join(out, 'sub/c.html.md'), 'utf8')).toContain('Third')
    expect(await readFile(join(out, 'packed.zip/inside/d.txt.md'), 'utf8')).toBe('A packed letter about winter.\n')
    const errors = await jsonLines(join(out, 'errors.jsonl'))
    expect(errors).toMatchObject([
      { path: 'empty.txt', error: { code: 'empty_file', category: 'rejected' } },
      { path: 'sub/damaged.pdf', error: { category: 'corrupt', stage: 'parse' } },
    ])
  })

  test('JSON has the shape of a reading, text is plain', async () => {
    const out = parsed('json')
    expect(
      await sheaf([
        'parse',
        join(input, 'sub/rotation.pdf'),
        join(input, 'a.txt'),
        '--out',
        out,
        '--format',
        'json',
        '--workers',
        '1',
      ]),
    ).toMatchObject({ code: 0 })
    const reading = JSON.parse(await readFile(join(out, 'rotation.pdf.json'), 'utf8')) as Record<string, unknown>
    expect(reading).toMatchObject({
      schema: 'sheaf.document/1',
      path: 'rotation.pdf',
      mediaType: 'application/pdf',
      issues: [],
    })
    expect(Object.keys(reading).toSorted()).toEqual([
      'issues',
      'language',
      'mediaType',
      'metadata',
      'pages',
      'path',
      'schema',
      'sha256',
      'text',
      'title',
    ])
    expect(await sheaf(['parse', join(input, 'a.txt'), '--out', out, '--format', 'text'])).toMatchObject({ code: 0 })
    expect(await readFile(join(out, 'a.txt.txt'), 'utf8')).toBe('The first letter speaks of the harvest.\n')
    expect(await readdir(out)).not.toContain('errors.jsonl')
  })

  test('leaves nothing in the folder for temporary files', async () => {
    const temporary = join(root, 'temporary')
    await mkdir(temporary)
    await sheaf(['parse', input, '--out', parsed('clean')], { TMPDIR: temporary })
    expect((await readdir(temporary)).filter((name) => name.startsWith('sheaf'))).toEqual([])
  })
})
