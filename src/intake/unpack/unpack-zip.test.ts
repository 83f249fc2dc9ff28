import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDeflateRaw } from 'node:zlib'
import { buffer } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writeZip, type ZipEntryPlan } from '../../../test/support/zip-writer.ts'
import { unpackArchive } from './unpack-archive.ts'
import type { UnpackedArchive, UnpackLimits, UnpackOptions, UnpackResult } from './unpack-result.ts'

const FILES = new URL('../../../test/files/intake/', import.meta.url)
let scratch: string
let out: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'sheaf-unpack-'))
  out = join(scratch, 'out')
  await mkdir(out)
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

async function unpack(
  zip: Buffer,
  options: Partial<UnpackOptions> = {},
  limits: Partial<UnpackLimits> = {},
): Promise<UnpackResult> {
  const file = join(scratch, 'a.zip')
  await writeFile(file, zip)
  return unpackArchive(file, 'application/zip', out, limits, { passwords: [], ...options })
}

async function unpacked(zip: Buffer, options: Partial<UnpackOptions> = {}): Promise<UnpackedArchive> {
  const result = await unpack(zip, options)
  expect(result).toMatchObject({ outcome: 'unpacked' })
  return result as UnpackedArchive
}

/** What lies in the scratch folder besides the archive and the files of the members. */
async function expectNothingElsewhere(): Promise<void> {
  expect((await readdir(scratch)).toSorted()).toEqual(['a.zip', 'out'])
  for (const name of await readdir(out)) expect(name).toMatch(/^\d{6}$/)
}

const text = (name: string | Buffer, content = `content of ${String(name)}`): ZipEntryPlan => ({
  name,
  content: Buffer.from(content),
  deflate: true,
})

test('gives back stored, deflated and empty members in order', async () => {
  const big = Buffer.alloc(300_000, 'Sheaf ')
  const seen: string[] = []
  const { members, skipped, failedMembers } = await unpacked(
    writeZip([
      { name: 'a.txt', content: Buffer.from('stored') },
      { name: 'd/', unixMode: 0o040755 },
      { name: 'd/b.txt', content: big, deflate: true },
      { name: 'empty' },
    ]),
    {
      onMember: (member) => {
        seen.push(member.path)
      },
    },
  )
  expect(members).toEqual([
    { index: 1, path: 'a.txt', bytes: 6, file: join(out, '000001') },
    { index: 3, path: 'd/b.txt', bytes: 300_000, file: join(out, '000003') },
    { index: 4, path: 'empty', bytes: 0, file: join(out, '000004') },
  ])
  expect((await readFile(members[1]!.file)).equals(big)).toBe(true)
  expect({ skipped, failedMembers, seen }).toEqual({
    skipped: [{ path: 'd', reason: 'directory' }],
    failedMembers: [],
    seen: ['a.txt', 'd/b.txt', 'empty'],
  })
})

test('an archive without entries is unpacked to nothing', async () => {
  expect(await unpacked(writeZip([]))).toEqual({ outcome: 'unpacked', members: [], skipped: [], failedMembers: [] })
})

describe('names', () => {
  test.each([
    ['../../etc/passwd', 'etc/passwd'],
    ['/etc/passwd', 'etc/passwd'],
    ['C:\\windows\\x', 'windows/x'],
    ['a\0b', 'a\uFFFDb'],
    ['..', 'member-000001'],
    ['caf\u00e9.txt', 'caf\u00e9.txt'],
    ['\u202Efdp.exe', '\u202Efdp.exe'],
  ])('%j is the label %j and never a path', async (name, path) => {
    const { members } = await unpacked(writeZip([text(name)]))
    expect(members).toMatchObject([{ path, file: join(out, '000001') }])
    expect(members[0]!.rawName).toBe(name === path ? undefined : name)
    await expectNothingElsewhere()
  })

  test('equal names and names that differ in case stay apart', async () => {
    const { members } = await unpacked(writeZip([text('a.txt', '1'), text('a.txt', '2'), text('A.TXT', '3')]))
    expect(members.map((member) => [member.index, member.path])).toEqual([
      [1, 'a.txt'],
      [2, 'a.txt'],
      [3, 'A.TXT'],
    ])
    expect(await Promise.all(members.map((member) => readFile(member.file, 'utf8')))).toEqual(['1', '2', '3'])
  })

  test('names in code page 437 and in unmarked UTF-8 are read', async () => {
    const { members } = await unpacked(
      writeZip([
        { ...text(Buffer.from([0x81, 0x2e, 0x74])), flags: 0 },
        { ...text('ü.t'), flags: 0 },
      ]),
    )
    expect(members.map((member) => member.path)).toEqual(['ü.t', 'ü.t'])
  })

  test('symbolic links and devices are reported, not made', async () => {
    const { members, skipped } = await unpacked(
      writeZip([
        { ...text('link', '/etc/passwd'), unixMode: 0o120777 },
        { ...text('tty'), unixMode: 0o020666 },
        { ...text('file'), unixMode: 0o100644 },
      ]),
    )
    expect(members.map((member) => member.path)).toEqual(['file'])
    expect(skipped).toEqual([
      { path: 'link', reason: 'symbolic link' },
      { path: 'tty', reason: 'device' },
    ])
  })

  test('a file that is there already is neither followed nor replaced', async () => {
    await writeFile(join(out, '000001'), 'mine')
    expect(await unpack(writeZip([text('a')]))).toMatchObject({ outcome: 'failed', code: 'write_failed' })
    expect(await readFile(join(out, '000001'), 'utf8')).toBe('mine')
  })
})

describe('limits', () => {
  const refused = { outcome: 'failed', code: 'archive_limits' }
  const expectRefused = async (result: UnpackResult, detail: string) => {
    expect(result).toMatchObject({ ...refused, detail: expect.stringContaining(detail) as string })
    expect(await readdir(out)).toEqual([])
  }
  const zeros = async (bytes: number) => {
    const piece = Buffer.alloc(1 << 20)
    const all = Readable.from(
      (function* () {
        for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, Math.min(left, piece.length))
      })(),
    )
    return buffer(all.pipe(createDeflateRaw({ level: 1 })))
  }

  test('10 GB declared is refused before anything is written', async () => {
    const plans = Array.from({ length: 5 }, (_, at) => ({ ...text(`${at}`), declared: { bytes: 2_000_000_000 } }))
    await expectRefused(await unpack(writeZip(plans)), 'declares more than 2147483648 bytes')
  })

  test('a content 200 times larger than the archive is refused by its declaration', async () => {
    const raw = { method: 8, bytes: await zeros(50_000_000) }
    await expectRefused(
      await unpack(writeZip([{ name: 'z', raw, declared: { bytes: 50_000_000 } }])),
      'declares more than 200 times',
    )
  })

  test('one that declares less than it holds is stopped when it has passed that', async () => {
    const raw = { method: 8, bytes: await zeros(50_000_000) }
    const seen: number[] = []
    const result = await unpack(writeZip([text('good'), { name: 'z', raw, declared: { bytes: 5_000_000 } }]), {
      onMember: (member) => {
        seen.push(member.bytes)
      },
    })
    await expectRefused(result, 'a member declares 5000000 bytes and holds more')
    expect(seen).toEqual([15])
  })

  test('small content may be compressed as well as it goes', async () => {
    const content = Buffer.alloc(9_000_000)
    expect((await unpacked(writeZip([{ name: 'z', content, deflate: true }]))).members).toMatchObject([
      { bytes: 9_000_000 },
    ])
  })

  test('overlapping entries are refused', async () => {
    const plans = [text('a'), { ...text('b'), offset: 0 }, { ...text('c'), offset: 0 }]
    await expectRefused(await unpack(writeZip(plans)), 'overlap')
  })

  test('too many entries are refused, also when the count is false', async () => {
    const plans = Array.from({ length: 11 }, (_, at) => text(`${at}`))
    await expectRefused(await unpack(writeZip(plans), {}, { entries: 10 }), 'more than 10 entries')
    await expectRefused(
      await unpack(writeZip(plans, { entryCount: 3 }), {}, { entries: 10 }),
      'says it has 3 entries and has more',
    )
    expect((await unpacked(writeZip(plans.slice(1)))).members).toHaveLength(10)
  })

  test('an archive too deep inside others is not opened', async () => {
    const zip = writeZip([text('a')])
    await expectRefused(await unpack(zip, { depth: 3 }), 'lies inside 3 others')
    expect((await unpacked(zip, { depth: 2 })).members).toHaveLength(1)
  })
})

describe('damage', () => {
  test.each<[string, Partial<ZipEntryPlan>, string, RegExp]>([
    ['a wrong checksum', { declared: { crc32: 1 } }, 'bad_zip', /checksum/],
    ['noise instead of deflated data', { raw: { method: 8, bytes: Buffer.alloc(15, 0xff) } }, 'bad_zip', /invalid/],
    [
      'deflated data that ends early',
      { raw: { method: 8, bytes: Buffer.from('4b4cd4', 'hex') } },
      'truncated',
      /unexpected end/,
    ],
    ['less than declared', { declared: { bytes: 100 } }, 'truncated', /15 of 100 bytes/],
    ['an unknown compression', { declared: { method: 14 } }, 'unsupported_type', /method 14/],
    ['a place without a member', { offset: 5_000 }, 'truncated', /behind the end/],
  ])('%s loses one member and keeps the others', async (_, change, code, detail) => {
    const { members, failedMembers } = await unpacked(
      writeZip([text('first'), text('last'), { ...text('bad', 'content of bad!'), ...change }]),
    )
    expect(members.map((member) => member.path)).toEqual(['first', 'last'])
    expect(failedMembers).toEqual([{ index: 3, path: 'bad', code, detail: expect.stringMatching(detail) as string }])
    expect((await readdir(out)).toSorted()).toEqual(['000001', '000002'])
  })

  test('an archive that is cut off is truncated, one with a broken directory is damaged', async () => {
    const zip = writeZip([text('a'), text('b')])
    expect(await unpack(zip.subarray(0, zip.length - 30))).toMatchObject({ outcome: 'failed', code: 'truncated' })
    const broken = Buffer.from(zip)
    broken.write('XX', zip.lastIndexOf('PK\x01\x02'), 'latin1')
    expect(await unpack(broken)).toMatchObject({ outcome: 'failed', code: 'bad_zip' })
    expect(await readdir(out)).toEqual([])
  })

  test('bytes behind the archive and a comment do no harm', async () => {
    const zip = Buffer.concat([writeZip([text('a')], { comment: Buffer.from('a comment') }), Buffer.alloc(1000)])
    expect((await unpacked(zip)).members).toHaveLength(1)
  })

  test('whatever bytes are changed, it ends with an outcome and no file elsewhere', async () => {
    const zip = writeZip([text('one'), { name: 'two', content: Buffer.from('stored') }, text('three', 'x'.repeat(500))])
    const change = fc.record({ at: fc.nat(zip.length - 1), byte: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(zip.length), async (changes, cut) => {
        const bytes = Buffer.from(zip)
        for (const { at, byte } of changes) bytes[at] = byte
        await rm(out, { recursive: true })
        await mkdir(out)
        const result = await unpack(bytes.subarray(0, cut % 3 === 0 ? cut : undefined), { passwords: ['x'] })
        const written = await readdir(out)
        expect(written).toHaveLength(result.outcome === 'failed' ? 0 : result.members.length)
        await expectNothingElsewhere()
      }),
      { numRuns: 300 },
    )
  })
})

describe('archives of other writers', () => {
  test.each([
    ['go-zip64.zip', [['README', 36]], []],
    [
      'go-trailing-junk.zip',
      [
        ['test.txt', 26],
        ['gophercolor16x16.png', 785],
      ],
      [],
    ],
    ['go-symlink.zip', [], ['symbolic link']],
  ])('%s', async (name, expected, reasons) => {
    const { members, skipped, failedMembers } = await unpacked(await readFile(new URL(name, FILES)))
    expect(members.map(({ path, bytes }) => [path, bytes])).toEqual(expected)
    expect({ reasons: skipped.map(({ reason }) => reason), failedMembers }).toEqual({ reasons, failedMembers: [] })
  })

  test('a directory whose offsets are wrong is damaged', async () => {
    expect(await unpack(await readFile(new URL('tika-testZip_with_DataDescriptor.zip', FILES)))).toMatchObject({
      outcome: 'failed',
      code: 'bad_zip',
    })
  })
})

describe('encryption', () => {
  const fromFile = async (name: string, passwords: string[]) => {
    await copyFile(new URL(name, FILES), join(scratch, 'a.zip'))
    return unpackArchive(join(scratch, 'a.zip'), 'application/zip', out, {}, { passwords })
  }

  test.each(['aes-hello.zip', 'aes-world.zip', 'aes-macbeth.zip', 'traditional.zip'])(
    '%s needs the right password',
    async (name) => {
      expect(await fromFile(name, [])).toMatchObject({ outcome: 'failed', code: 'password_required' })
      expect(await fromFile(name, ['wrong'])).toMatchObject({ outcome: 'failed', code: 'password_wrong' })
      expect(await readdir(out)).toEqual([])
      expect(await fromFile(name, ['wrong', 'golang', 'other'])).toMatchObject({
        outcome: 'unpacked',
        failedMembers: [],
      })
    },
  )

  test('what is decrypted is what was encrypted', async () => {
    const result = (await fromFile('aes-macbeth.zip', ['golang'])) as UnpackedArchive
    expect(await readFile(result.members[0]!.file, 'latin1')).toContain(
      'False face must hide what the false heart doth know.',
    )
    expect(result.members).toMatchObject([{ path: 'macbeth-act1.txt', bytes: 23_124 }])
  })

  test('a changed AES member is not given out', async () => {
    const zip = await readFile(new URL('aes-macbeth.zip', FILES))
    zip[5000]! ^= 1
    expect(await unpacked(zip, { passwords: ['golang'] })).toMatchObject({
      members: [],
      failedMembers: [{ index: 1, code: 'bad_zip' }],
    })
    expect(await readdir(out)).toEqual([])
  })

  test('a wrong password that passes the short check of the old encryption is still wrong', async () => {
    const zip = await readFile(new URL('traditional.zip', FILES))
    const results = []
    for (let at = 0; at < 600; at += 1) results.push(await unpack(zip, { passwords: [`wrong ${at}`] }))
    expect(new Set(results.map((result) => result.outcome === 'failed' && result.code))).toEqual(
      new Set(['password_wrong']),
    )
  })
})
