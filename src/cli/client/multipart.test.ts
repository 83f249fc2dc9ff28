import fc from 'fast-check'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FileUnreadable, multipartBody } from './multipart.ts'
import { fileKey, groupFiles } from './upload.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sheaf-multipart-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Part {
  field: string
  name: string | null
  content: Buffer
}

/** Reads a body with the parser of Node's fetch. */
async function readBody(body: Buffer, contentType: string): Promise<Part[]> {
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } }).formData()
  return Promise.all(
    [...form].map(async ([field, value]) =>
      typeof value === 'string'
        ? { field, name: null, content: Buffer.from(value) }
        : { field, name: value.name, content: Buffer.from(await value.arrayBuffer()) },
    ),
  )
}

describe('the body of an upload', () => {
  test('holds each file behind its key, byte for byte', async () => {
    const name = fc.string({
      unit: fc.constantFrom('a', 'b', '/', '.', '-', ' ', 'ä', '日', '😀', "'", '%', ';', '=', '\t'),
      minLength: 1,
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 5000 })), { minLength: 1, maxLength: 40 }),
        async (given) => {
          const files = await Promise.all(
            given.map(async ([label, content], index) => {
              const file = join(folder, `file-${index}`)
              await writeFile(file, content)
              // what was found large is streamed, what was found small is read ahead
              const bytes = index % 2 === 0 ? content.length : 1024 * 1024
              return { name: label, file, bytes, key: `key-${index}`, content }
            }),
          )
          const { contentType, open } = multipartBody(files)
          const parts = await readBody(await buffer(open()), contentType)
          expect(parts).toEqual(
            files.flatMap((file) => [
              { field: 'key', name: null, content: Buffer.from(file.key) },
              { field: 'files', name: file.name, content: Buffer.from(file.content) },
            ]),
          )
        },
      ),
      { numRuns: 40 },
    )
  })

  test('can be opened again for another try', async () => {
    const file = join(folder, 'again')
    await writeFile(file, 'text')
    const { open } = multipartBody([{ name: 'again', file, bytes: 4, key: 'k' }])
    expect(await buffer(open())).toEqual(await buffer(open()))
  })

  test('no name ends the header line or the quotes', async () => {
    const file = join(folder, 'plain')
    await writeFile(file, '')
    const { open } = multipartBody([{ name: 'a"\r\nX-Evil: 1\r\n\r\n\0\\', file, bytes: 0, key: 'k' }])
    const head = (await buffer(open()))
      .toString()
      .split('\r\n\r\n')
      .find((part) => part.includes('filename'))!
    expect(head.split('\r\n').filter((line) => !line.startsWith('k') && !line.startsWith('--'))).toEqual([
      'Content-Disposition: form-data; name="files"; filename="a\\"  X-Evil: 1     \\\\"',
      'Content-Type: application/octet-stream',
    ])
  })

  test.each([10, 10_000_000])('a file of %i bytes that went away is named by the error', async (bytes) => {
    const gone = { name: 'gone', file: join(folder, 'gone'), bytes, key: 'k' }
    const error = await buffer(multipartBody([gone]).open()).then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(FileUnreadable)
    expect((error as FileUnreadable).file).toBe(gone)
  })
})

describe('requests of an upload', () => {
  test('keep the order, and stay within their limits', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 * 1024 * 1024 }), { maxLength: 700 }), (sizes) => {
        const files = sizes.map((bytes, index) => ({ bytes, index }))
        const groups = groupFiles(files)
        expect(groups.flat()).toEqual(files)
        for (const group of groups) {
          expect(group.length).toBeGreaterThan(0)
          expect(group.length).toBeLessThanOrEqual(256)
          const isAlone = group.length === 1
          expect(isAlone || group.reduce((sum, file) => sum + file.bytes, 0) <= 32 * 1024 * 1024).toBe(true)
        }
      }),
    )
  })

  test('a file has the same key as long as it stays the same', () => {
    const file = { label: 'a/b.txt', file: '/x/a/b.txt', bytes: 3, modifiedMs: 1.5 }
    expect(fileKey({ ...file })).toBe(fileKey(file))
    const others = [{ label: 'b.txt' }, { file: '/y/a/b.txt' }, { bytes: 4 }, { modifiedMs: 2.5 }].map((change) =>
      fileKey({ ...file, ...change }),
    )
    expect(new Set([fileKey(file), ...others]).size).toBe(5)
  })
})
