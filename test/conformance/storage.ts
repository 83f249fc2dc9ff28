import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BlobStore, sourceKey } from '../../src/storage/index.ts'

/** A store that is empty, and what must be done when the test is over. */
export interface OpenedStore {
  store: BlobStore
  close(): Promise<void>
}

/** What every blob store must do. `open` is called once a test. */
export function storageConformance(name: string, open: () => Promise<OpenedStore>): void {
  describe(`storage conformance: ${name}`, () => {
    let opened: OpenedStore
    let store: BlobStore
    let scratch: string

    beforeEach(async () => {
      opened = await open()
      store = opened.store
      scratch = await mkdtemp(join(tmpdir(), 'sheaf-storage-'))
    })
    afterEach(async () => {
      await opened.close()
      await rm(scratch, { recursive: true, force: true })
    })

    const put = async (content: Buffer, workspace = 'w1') => {
      const staged = await store.stage(Readable.from([content], { objectMode: false }))
      const key = sourceKey(workspace, staged.sha256)
      await staged.commit(key)
      return key
    }
    const read = async (key: string, range?: { start: number; end?: number }) => buffer(await store.get(key, range))
    const keys = async (prefix: string) =>
      (await Array.fromAsync(store.list(prefix))).map((blob) => blob.key).toSorted()

    test('gives back what was stored, with its hash and size', async () => {
      const content = randomBytes(300_000)
      const pieces = [
        content.subarray(0, 1),
        content.subarray(1, 1),
        content.subarray(1, 170_000),
        content.subarray(170_000),
      ]
      const staged = await store.stage(Readable.from(pieces, { objectMode: false }))
      expect(staged).toMatchObject({ bytes: 300_000, sha256: createHash('sha256').update(content).digest('hex') })
      const key = sourceKey('w1', staged.sha256)
      expect(await store.head(key)).toBeNull()
      await staged.commit(key)
      expect((await read(key)).equals(content)).toBe(true)
      expect(await store.head(key)).toEqual({ bytes: 300_000 })
    })

    test('takes empty content', async () => {
      const key = await put(Buffer.alloc(0))
      expect(await store.head(key)).toEqual({ bytes: 0 })
      expect(await read(key)).toHaveLength(0)
    })

    test('gives a range: start inclusive, end exclusive', async () => {
      const key = await put(Buffer.from('0123456789'))
      const ranges: [{ start: number; end?: number }, string][] = [
        [{ start: 0, end: 1 }, '0'],
        [{ start: 3, end: 7 }, '3456'],
        [{ start: 8 }, '89'],
        [{ start: 4, end: 4 }, ''],
        [{ start: 9, end: 100 }, '9'],
        [{ start: 10 }, ''],
        [{ start: 50 }, ''],
      ]
      for (const [range, expected] of ranges)
        expect((await read(key, range)).toString(), JSON.stringify(range)).toBe(expected)
    })

    test('says blob_missing for a key that is not there', async () => {
      const key = sourceKey('w1', 'ab'.repeat(32))
      await expect(store.get(key)).rejects.toMatchObject({ code: 'blob_missing' })
      await expect(store.materialise(key, join(scratch, 'x'))).rejects.toMatchObject({ code: 'blob_missing' })
      expect(await store.head(key)).toBeNull()
      expect(await store.delete(key)).toBe(false)
    })

    test('does not take a key that could leave the store', async () => {
      for (const key of [
        '',
        'a',
        '/a/b',
        'a/../b',
        'a/..b',
        'a//b',
        'a/b/',
        'a/b c',
        'a\\b/c',
        'a/b\0',
        './a/b',
        `a/${'x'.repeat(300)}`,
      ]) {
        await expect((async () => store.head(key))(), key).rejects.toMatchObject({ code: 'internal' })
        const staged = await store.stage(Readable.from([Buffer.from('x')]))
        await expect(staged.commit(key), key).rejects.toMatchObject({ code: 'internal' })
        await staged.discard()
      }
      expect(await keys('')).toEqual([])
    })

    test('keeps the same content of two workspaces apart', async () => {
      const [a, b] = [await put(Buffer.from('same'), 'w1'), await put(Buffer.from('same'), 'w2')]
      expect(await store.delete(a)).toBe(true)
      expect((await read(b)).toString()).toBe('same')
    })

    test('lets many commit the same key at once', async () => {
      const content = randomBytes(10_000)
      const committed = await Promise.all(Array.from({ length: 20 }, () => put(content)))
      expect(new Set(committed).size).toBe(1)
      expect((await read(committed[0]!)).equals(content)).toBe(true)
      expect(await keys('')).toEqual([committed[0]])
      expect(await store.sweep(0)).toBe(0)
    })

    test('commits once when asked twice, and is not hurt by a discard afterwards', async () => {
      const staged = await store.stage(Readable.from([Buffer.from('twice')]))
      const key = sourceKey('w1', staged.sha256)
      await Promise.all([staged.commit(key), staged.commit(key)])
      await staged.commit(key)
      await staged.discard()
      expect((await read(key)).toString()).toBe('twice')
    })

    test('leaves nothing of what is discarded', async () => {
      const staged = await store.stage(Readable.from([Buffer.from('never')]))
      await staged.discard()
      await staged.discard()
      expect(await store.sweep(0)).toBe(0)
      expect(await keys('')).toEqual([])
    })

    test('stops at maxBytes, and leaves nothing', async () => {
      let sent = 0
      const endless = new Readable({
        read() {
          this.push(Buffer.alloc(1000))
          sent += 1000
        },
      })
      await expect(store.stage(endless, { maxBytes: 50_000 })).rejects.toMatchObject({ code: 'too_large' })
      expect(endless.destroyed).toBe(true)
      expect(sent).toBeLessThan(500_000)
      expect(await store.sweep(0)).toBe(0)
      const exact = await store.stage(Readable.from([Buffer.alloc(50_000)]), { maxBytes: 50_000 })
      expect(exact.bytes).toBe(50_000)
    })

    test('passes on the error of a sender that breaks off, and leaves nothing', async () => {
      const broken = Readable.from(
        (async function* () {
          yield Buffer.from('half')
          throw new Error('connection lost')
        })(),
      )
      await expect(store.stage(broken)).rejects.toThrow('connection lost')
      expect(await store.sweep(0)).toBe(0)
    })

    test('adopts a file: it is gone from where it was', async () => {
      const file = join(scratch, 'made-by-a-child')
      await writeFile(file, 'from a child')
      const staged = await store.adopt(file)
      expect(staged).toMatchObject({ bytes: 12, sha256: createHash('sha256').update('from a child').digest('hex') })
      await expect(readFile(file)).rejects.toMatchObject({ code: 'ENOENT' })
      const key = sourceKey('w1', staged.sha256)
      await staged.commit(key)
      expect((await read(key)).toString()).toBe('from a child')
      await expect(store.adopt(join(scratch, 'nothing'))).rejects.toMatchObject({ code: 'write_failed' })
    })

    test.each([0, 1000, 3_000_000])(
      'makes %i bytes readable as a file; writing a copy of it leaves the blob alone',
      async (size) => {
        const content = randomBytes(size)
        const key = await put(content)
        const path = join(scratch, 'input')
        await writeFile(path, 'something older')
        await store.materialise(key, path)
        expect((await readFile(path)).equals(content)).toBe(true)
        await rm(path)
        expect((await read(key)).equals(content)).toBe(true)
      },
    )

    test('deletes', async () => {
      const key = await put(Buffer.from('gone'))
      expect(await store.delete(key)).toBe(true)
      expect(await store.delete(key)).toBe(false)
      await expect(store.get(key)).rejects.toMatchObject({ code: 'blob_missing' })
      await put(Buffer.from('gone'))
      expect((await read(key)).toString()).toBe('gone')
    })

    test('lists by prefix, with sizes and times', async () => {
      const all = []
      for (let i = 0; i < 30; i += 1) all.push(await put(Buffer.from(`blob ${i}`), i % 3 === 0 ? 'w1' : 'w10'))
      expect(await keys('')).toEqual(all.toSorted())
      for (const prefix of [
        'w1',
        'w1/',
        'w10/source/',
        all[0]!,
        all[0]!.slice(0, -60),
        all[0]!.slice(0, -63),
        'w2/',
        `${all[0]!}x`,
      ]) {
        expect(await keys(prefix), prefix).toEqual(all.filter((key) => key.startsWith(prefix)).toSorted())
      }
      const [first] = await Array.fromAsync(store.list(all[0]!))
      expect(first).toMatchObject({ key: all[0], bytes: 6 })
      expect(Math.abs(Date.now() - first!.modified.getTime())).toBeLessThan(60_000)
    })

    test('sweeps what nobody committed, not what is young, not what is committed', async () => {
      const key = await put(Buffer.from('kept'))
      await store.stage(Readable.from([Buffer.from('forgotten')]))
      expect(await store.sweep(60_000)).toBe(0)
      expect(await store.sweep(0)).toBe(1)
      expect(await keys('')).toEqual([key])
    })

    test('probes and leaves nothing', async () => {
      const { freeBytes, totalBytes } = await store.probe()
      expect(freeBytes ?? 0).toBeLessThanOrEqual(totalBytes ?? Infinity)
      expect(await store.sweep(0)).toBe(0)
      expect(await keys('')).toEqual([])
    })
  })
}
