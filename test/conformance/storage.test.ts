import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { armFailpoints } from '../../src/core/index.ts'
import { openLocalStore, openStore, sourceKey } from '../../src/storage/index.ts'
import { storageConformance } from './storage.ts'

const newDirectory = () => mkdtemp(join(tmpdir(), 'sheaf-store-'))

storageConformance('local directory', async () => {
  const directory = await newDirectory()
  return { store: await openLocalStore(directory), close: () => rm(directory, { recursive: true, force: true }) }
})

describe('the local store', () => {
  let directory: string
  beforeEach(async () => {
    directory = await newDirectory()
  })
  afterEach(async () => {
    armFailpoints(undefined)
    await rm(directory, { recursive: true, force: true })
  })
  const bytes = (content: string) => Readable.from([Buffer.from(content)])
  const staged = () => readdir(join(directory, 'staged'))

  test('lays blobs out by workspace, kind and the start of the name, private and not writable', async () => {
    const store = await openLocalStore(join(directory, 'not', 'yet', 'there'))
    const blob = await store.stage(bytes('x'))
    await blob.commit(sourceKey('w1', blob.sha256))
    const found = await stat(join(directory, 'not/yet/there/blobs/w1/source', blob.sha256.slice(0, 1), blob.sha256))
    expect(found.mode & 0o777).toBe(0o400)
  })

  test('finds what an earlier process stored', async () => {
    const first = await openStore(pathToFileURL(directory).href)
    const blob = await first.stage(bytes('kept'))
    await blob.commit(sourceKey('w1', blob.sha256))
    const second = await openStore(directory)
    expect(await text(await second.get(sourceKey('w1', blob.sha256)))).toBe('kept')
  })

  test('makes a folder again that somebody removed', async () => {
    const store = await openLocalStore(directory)
    for (let round = 0; round < 2; round += 1) {
      const blob = await store.stage(bytes('x'))
      await blob.commit(sourceKey('w1', blob.sha256))
      expect(await store.head(sourceKey('w1', blob.sha256))).toEqual({ bytes: 1 })
      await rm(join(directory, 'blobs', 'w1'), { recursive: true })
    }
  })

  test('refuses stores it does not have', async () => {
    await expect(openStore('s3://bucket/prefix')).rejects.toThrow('later release')
    await expect(openStore('ftp://host/')).rejects.toThrow('no storage for "ftp:"')
  })

  test('does not adopt a symbolic link or a directory', async () => {
    const store = await openLocalStore(directory)
    const { symlink } = await import('node:fs/promises')
    await writeFile(join(directory, 'secret'), 'secret')
    await symlink(join(directory, 'secret'), join(directory, 'link'))
    await expect(store.adopt(join(directory, 'link'))).rejects.toMatchObject({ code: 'write_failed' })
    await expect(store.adopt(directory)).rejects.toMatchObject({ code: 'write_failed' })
    expect(await staged()).toEqual([])
  })

  test.each(['upload-received', 'after-blob-sync'])('leaves no temporary file when it fails at %s', async (point) => {
    const store = await openLocalStore(directory)
    armFailpoints(`${point}:error`)
    await expect(store.stage(bytes('x'))).rejects.toThrow(`failpoint ${point}`)
    expect(await staged()).toEqual([])
  })

  test('takes a commit again that failed after the rename', async () => {
    const store = await openLocalStore(directory)
    const blob = await store.stage(bytes('again'))
    const key = sourceKey('w1', blob.sha256)
    armFailpoints('after-blob-rename:error')
    await expect(blob.commit(key)).rejects.toThrow('failpoint after-blob-rename')
    await blob.commit(key)
    expect(await store.head(key)).toEqual({ bytes: 5 })
  })

  test('keeps every byte of 200 blobs that are committed at once', async () => {
    const store = await openLocalStore(directory)
    const contents = Array.from({ length: 200 }, () => randomBytes(2000))
    await Promise.all(
      contents.map(async (content) => {
        const blob = await store.stage(Readable.from([content]))
        await blob.commit(sourceKey('w1', blob.sha256))
      }),
    )
    for (const content of contents) {
      const key = sourceKey('w1', createHash('sha256').update(content).digest('hex'))
      expect(await text(await store.get(key).then((stream) => stream.setEncoding('latin1')))).toBe(
        content.toString('latin1'),
      )
    }
  })

  test('says write_failed when the system refuses the bytes, and leaves nothing', async () => {
    const { code, output } = await runLimited(directory)
    expect({ code, output }).toEqual({ code: 0, output: 'write_failed write: EFBIG\n0 staged\nsmall one kept\n' })
  })
})

/** Stores 1 MB and then 100 bytes in a process whose files may have 64 kB at most (RLIMIT_FSIZE). */
async function runLimited(directory: string): Promise<{ code: number | null; output: string }> {
  const program = `
    import { openLocalStore, sourceKey } from ${JSON.stringify(new URL('../../src/storage/index.ts', import.meta.url).href)}
    import { Readable } from 'node:stream'
    import { readdir } from 'node:fs/promises'
    process.on('SIGXFSZ', () => {})
    const store = await openLocalStore(process.argv[1])
    await store.stage(Readable.from([Buffer.alloc(1 << 20)])).catch((error) => console.log(error.code, error.detail))
    console.log((await readdir(process.argv[1] + '/staged')).length, 'staged')
    const blob = await store.stage(Readable.from([Buffer.alloc(100)]))
    await blob.commit(sourceKey('w1', blob.sha256))
    console.log((await store.head(sourceKey('w1', blob.sha256))).bytes === 100 ? 'small one kept' : 'lost')`
  const child = spawn('sh', [
    '-c',
    'ulimit -f 128; exec "$0" "$@"',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
    directory,
  ])
  const output = Promise.all([text(child.stdout), text(child.stderr)])
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve)
  })
  return { code, output: (await output).join('') }
}
