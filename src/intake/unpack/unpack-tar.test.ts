import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { pack, type Header } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TAR_GZIP } from '../sniff-names.ts'
import { unpackArchive } from './unpack-archive.ts'
import type { UnpackedArchive, UnpackLimits, UnpackResult } from './unpack-result.ts'

const TAR = 'application/x-tar'
let scratch: string
let out: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'sheaf-untar-'))
  out = join(scratch, 'out')
  await mkdir(out)
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

async function tarOf(...entries: [Partial<Header> & { name: string }, string | Buffer | null][]): Promise<Buffer> {
  const tar = pack()
  for (const [header, content] of entries) tar.entry(header, content ?? '')
  tar.finalize()
  return buffer(tar as AsyncIterable<Buffer>)
}

async function unpack(
  bytes: Buffer,
  mediaType: string,
  limits: Partial<UnpackLimits> = {},
  name?: string,
): Promise<UnpackResult> {
  const file = join(scratch, 'archive')
  await writeFile(file, bytes)
  return unpackArchive(file, mediaType, out, limits, { passwords: [], ...(name === undefined ? {} : { name }) })
}

const threeFiles = () =>
  tarOf([{ name: 'a.txt' }, 'first'], [{ name: 'd/b.bin' }, Buffer.alloc(100_000, 7)], [{ name: 'empty' }, ''])

test.each([
  [TAR, (tar: Buffer) => tar],
  [TAR_GZIP, gzipSync],
  ['application/gzip', gzipSync],
])('unpacks %s', async (mediaType, wrap) => {
  const result = (await unpack(wrap(await threeFiles()), mediaType)) as UnpackedArchive
  expect(result).toMatchObject({ outcome: 'unpacked', skipped: [], failedMembers: [] })
  expect(result.members.map(({ index, path, bytes }) => [index, path, bytes])).toEqual([
    [1, 'a.txt', 5],
    [2, 'd/b.bin', 100_000],
    [3, 'empty', 0],
  ])
  expect(await readFile(join(out, '000001'), 'utf8')).toBe('first')
  expect((await readFile(join(out, '000002'))).equals(Buffer.alloc(100_000, 7))).toBe(true)
})

test('a tar file of no entries is unpacked to nothing', async () => {
  expect(await unpack(await tarOf(), TAR)).toEqual({ outcome: 'unpacked', members: [], skipped: [], failedMembers: [] })
})

test('links, devices and directories are reported, not made; names are labels', async () => {
  const tar = await tarOf(
    [{ name: '../../evil' }, 'x'],
    [{ name: 'link', type: 'symlink', linkname: '/etc/passwd' }, null],
    [{ name: 'hard', type: 'link', linkname: '../evil' }, null],
    [{ name: 'tty', type: 'character-device' }, null],
    [{ name: 'pipe', type: 'fifo' }, null],
    [{ name: 'folder', type: 'directory' }, null],
    [{ name: '/abs/\u202Ex' }, 'y'],
    [{ name: '../evil' }, 'z'],
    [{ name: 'n'.repeat(3000) }, 'long'],
  )
  const result = (await unpack(tar, TAR)) as UnpackedArchive
  expect(result.members.map(({ index, path }) => [index, path])).toEqual([
    [1, 'evil'],
    [7, 'abs/\u202Ex'],
    [8, 'evil'],
    [9, 'n'.repeat(1024)],
  ])
  expect(result.skipped.map(({ path, reason }) => `${path}: ${reason}`)).toEqual([
    'link: symbolic link',
    'hard: hard link',
    'tty: device',
    'pipe: device',
    'folder: directory',
  ])
  expect(await readdir(scratch)).toEqual(expect.arrayContaining(['archive', 'out']))
  expect((await readdir(out)).toSorted()).toEqual(['000001', '000007', '000008', '000009'])
})

describe('gzip of one file', () => {
  test.each([
    ['a/report.csv.gz', 'report.csv'],
    [undefined, 'member-000001'],
    ['noext', 'member-000001'],
  ])('%s holds %s', async (name, path) => {
    expect(await unpack(gzipSync('1,2,3'), 'application/gzip', {}, name)).toMatchObject({
      outcome: 'unpacked',
      members: [{ index: 1, path, bytes: 5 }],
    })
  })

  test('takes the name in the header', async () => {
    const plain = gzipSync('1,2,3')
    const named = Buffer.concat([
      plain.subarray(0, 3),
      Buffer.from([8]),
      plain.subarray(4, 10),
      Buffer.from('../in header.txt\0'),
      plain.subarray(10),
    ])
    expect(await unpack(named, 'application/gzip')).toMatchObject({
      members: [{ path: 'in header.txt', rawName: '../in header.txt' }],
    })
  })

  test('cut off or damaged, it fails and leaves nothing', async () => {
    const gz = gzipSync(randomBytes(40_000).toString('hex'))
    expect(await unpack(gz.subarray(0, 20_000), 'application/gzip')).toMatchObject({
      outcome: 'failed',
      code: 'truncated',
    })
    const bad = Buffer.from(gz)
    bad.fill(0xff, 10_000, 10_050)
    expect(await unpack(bad, 'application/gzip')).toMatchObject({ outcome: 'failed', code: 'bad_zip' })
    expect(await readdir(out)).toEqual([])
  })
})

describe('limits', () => {
  const refused = (detail: string) => ({
    outcome: 'failed',
    code: 'archive_limits',
    detail: expect.stringContaining(detail) as string,
  })

  test('stops when more comes out of gzip than 200 times the archive', async () => {
    expect(await unpack(gzipSync(await tarOf([{ name: 'z' }, Buffer.alloc(40_000_000)])), TAR_GZIP)).toEqual(
      refused('more than 200 times'),
    )
    expect(await unpack(gzipSync(Buffer.alloc(40_000_000)), 'application/gzip')).toEqual(refused('more than 200 times'))
    expect(await readdir(out)).toEqual([])
  })

  test('refuses a declared size before reading on', async () => {
    const tar = await tarOf([{ name: 'a' }, 'kept?'], [{ name: 'big', size: 5 }, 'x1234'])
    const header = tar.indexOf('big')
    tar.write('77777777777 ', header + 124, 'latin1')
    tar.write('        ', header + 148, 'latin1')
    const sum = tar.subarray(header, header + 512).reduce((all, byte) => all + byte, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, header + 148, 'latin1')
    expect(await unpack(tar, TAR)).toEqual(refused('declares more than 2147483648 bytes'))
    expect(await readdir(out)).toEqual([])
  })

  test('counts entries and bytes', async () => {
    expect(await unpack(await threeFiles(), TAR, { entries: 2 })).toEqual(refused('more than 2 entries'))
    expect(await unpack(await threeFiles(), TAR, { bytes: 50_000 })).toEqual(refused('more than 50000 bytes'))
    expect(await unpack(await threeFiles(), TAR, { depth: 0 })).toEqual(refused('lies inside 0 others'))
  })
})

describe('damage', () => {
  test('what lies before the damage is kept, and the loss is said', async () => {
    const tar = await tarOf([{ name: 'a' }, 'good'], [{ name: 'b' }, Buffer.alloc(50_000, 1)], [{ name: 'c' }, 'lost'])
    for (const mediaType of [TAR, TAR_GZIP]) {
      const cut = tar.subarray(0, 20_000)
      expect(await unpack(mediaType === TAR ? cut : gzipSync(cut), mediaType)).toMatchObject({
        outcome: 'unpacked',
        members: [{ path: 'a' }],
        failedMembers: [{ index: 2, path: 'b', code: 'truncated' }],
      })
      await rm(join(out, '000001'))
    }
    const broken = Buffer.from(tar)
    broken.write('XXXX', tar.lastIndexOf('ustar') - 257, 'latin1')
    expect(await unpack(broken, TAR)).toMatchObject({
      outcome: 'unpacked',
      members: [{ path: 'a' }, { path: 'b' }],
      failedMembers: [{ index: 3, path: 'member-000003', code: 'bad_zip' }],
    })
  })

  test('without one good member the archive has failed', async () => {
    const tar = await tarOf([{ name: 'b' }, Buffer.alloc(50_000, 1)])
    expect(await unpack(tar.subarray(0, 20_000), TAR)).toMatchObject({ outcome: 'failed', code: 'truncated' })
    expect(await unpack(gzipSync(tar).subarray(0, 60), TAR_GZIP)).toMatchObject({
      outcome: 'failed',
      code: 'truncated',
    })
    expect(await unpack(Buffer.alloc(2000, 'no tar '), TAR)).toMatchObject({ outcome: 'failed', code: 'bad_zip' })
    expect(await readdir(out)).toEqual([])
  })

  test('whatever bytes are changed, it ends with an outcome', async () => {
    const tar = await threeFiles()
    const change = fc.record({ at: fc.oneof(fc.nat(2000), fc.nat(tar.length - 1)), byte: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 4 }), fc.boolean(), async (changes, isCompressed) => {
        const bytes = Buffer.from(isCompressed ? gzipSync(tar) : tar)
        for (const { at, byte } of changes) bytes[at % bytes.length] = byte
        await rm(out, { recursive: true })
        await mkdir(out)
        const result = await unpack(bytes, isCompressed ? TAR_GZIP : TAR)
        expect(await readdir(out)).toHaveLength(result.outcome === 'failed' ? 0 : result.members.length)
      }),
      { numRuns: 150 },
    )
  })
})
