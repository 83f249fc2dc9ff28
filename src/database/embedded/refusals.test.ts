import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { ensureLibraryLinks, packageFolder } from './binaries.ts'
import { startEmbeddedServer, type EmbeddedOptions, type EmbeddedStartError } from './index.ts'
import { runCommand } from './run-command.ts'
import { readServerLog, trimServerLog } from './server-log.ts'
import { sharedBuffersMegabytes } from './settings.ts'
import { explainServerOutput, toStartError } from './start-error.ts'
import { dataDirectories } from './testing/data-directories.ts'
import { connectionOf, query, startOwner } from './testing/owner-process.ts'

const directories = dataDirectories()
afterAll(() => directories.clear())

const isRoot = process.getuid?.() === 0

/** A mount of its own, gone with the process; also for an ordinary user where user namespaces are allowed. */
const mountNamespace = ['unshare', '--user', '--map-root-user', '--mount', '/bin/sh', '-c']
const canMount = (await runCommand([...mountNamespace, 'mount -t tmpfs none /mnt'])).code === 0

/** Words that run the rest of a command with a tmpfs of the given options on `folder`. */
function withTmpfs(folder: string, options: string): string[] {
  return [...mountNamespace, 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"', 'sh', options, folder]
}

async function refusal(options: EmbeddedOptions): Promise<EmbeddedStartError> {
  const server = await startEmbeddedServer(options).catch((error: EmbeddedStartError) => error)
  if ('stop' in server) {
    await server.stop()
    throw new Error('the server started')
  }
  return server
}

function checkOneLine({ name, message, action }: { name: string; message: string; action: string }): void {
  expect(name).toBe('EmbeddedStartError')
  for (const text of [message, action]) expect(text).toMatch(/^\S.*\.$/)
}

function testMountedDisks(): void {
  test('a read-only file system: code 6 and one line', async () => {
    const folder = dirname(directories.make())
    const { error } = (await startOwner({ dataDir: join(folder, 'data'), prefix: withTmpfs(folder, 'ro') })).answer
    checkOneLine(error!)
    expect(error!.exitCode).toBe(6)
    expect(error!.message).toMatch(/read-only file system/)
  })

  test('a disk of 8 MB that is full at the first start: code 7', async () => {
    const folder = dirname(directories.make())
    const { error } = (await startOwner({ dataDir: join(folder, 'data'), prefix: withTmpfs(folder, 'size=8m') })).answer
    checkOneLine(error!)
    expect(error!.exitCode).toBe(7)
    expect(error!.message).toContain(folder)
  })

  test('a disk that is full at a later start: code 7', async () => {
    const folder = dirname(directories.make())
    const fill = 'mkdir data && cp -a "$0/." data/ && { cat /dev/zero > fill 2>/dev/null; exec "$@"; }'
    const source = directories.make()
    await (await startOwner({ dataDir: source })).stop()
    const prefix = [...withTmpfs(folder, 'size=64m'), '/bin/sh', '-c', `cd ${folder} && ${fill}`, source]
    const { error } = (await startOwner({ dataDir: join(folder, 'data'), prefix })).answer
    checkOneLine(error!)
    expect(error!.exitCode).toBe(7)
  })
}

function testMessagesOfFullDisks(): void {
  test('no mount allowed here, so only what initdb would say is read: no space left, code 7', () => {
    const error = explainServerOutput(
      'initdb: error: could not write file "pg_wal/1": No space left on device',
      '/data',
    )
    checkOneLine(error)
    expect(error.exitCode).toBe(7)
  })
}

function testAsOrdinaryUser(): void {
  test('a directory without the right to write: code 6 and one line', async () => {
    const dataDir = directories.make()
    mkdirSync(dataDir, { mode: 0o500 })
    const error = await refusal({ dataDir })
    checkOneLine(error)
    expect(error.exitCode).toBe(6)
    expect(error.message).toMatch(/no permission to write/)
  })

  test('an ordinary user who asks for nobody is refused in one line', async () => {
    const error = await refusal({ dataDir: directories.make(), isolation: 'nobody' })
    checkOneLine(error)
    expect(error.exitCode).toBe(6)
  })
}

function testAsNobody(): void {
  test('as nobody the database serves, and again at the second start', async () => {
    const folder = dirname(directories.make())
    chmodSync(folder, 0o755)
    // a copy of the programs where every user may enter, wherever this repository lies
    for (const bin of packageFolder())
      cpSync(dirname(bin), join(folder, 'native'), { recursive: true, verbatimSymlinks: true })
    const options = { dataDir: join(folder, 'data'), binaryFolders: [join(folder, 'native', 'bin')] }
    const first = await startOwner({ ...options, isolation: 'nobody' })
    await query(connectionOf(first), 'create table t as select 6 as answer')
    const { uid } = statSync(`/proc/${first.answer.postmasterPid}`)
    expect([uid, statSync(join(folder, 'data', 'postgres')).uid]).toEqual([65_534, 65_534])
    expect((statSync(join(folder, 'data')).mode & 0o777).toString(8)).toBe('710')
    await first.kill()
    const second = await startOwner(options)
    expect(await query(connectionOf(second), 'select answer from t')).toEqual([6])
    await second.stop()
  })

  test('as nobody below a folder that only root may enter: one line names it and --data', async () => {
    const dataDir = directories.make('closed')
    const closed = dirname(dataDir)
    mkdirSync(closed, { mode: 0o700 })
    chmodSync(dirname(closed), 0o755)
    const error = await refusal({ dataDir, isolation: 'nobody' })
    checkOneLine(error)
    expect(error.exitCode).toBe(6)
    expect(error.message).toContain(`cannot enter ${closed}.`)
    expect(error.action).toContain('--data')
  })
}

describe('what this machine and user allow to test', () => {
  const suites = [canMount ? testMountedDisks : testMessagesOfFullDisks, isRoot ? testAsNobody : testAsOrdinaryUser]
  for (const suite of suites) suite()
})

describe('places that cannot be written', () => {
  test('a file where the directory should be', async () => {
    const dataDir = directories.make()
    writeFileSync(dataDir, '')
    const error = await refusal({ dataDir })
    checkOneLine(error)
    expect(error.exitCode).toBe(6)
    expect(error.message).toContain('is not a directory')
  })

  test('whatever Node throws becomes one line with an exit code', () => {
    fc.assert(
      fc.property(fc.constantFrom('ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EIO'), (code) => {
        const error = toStartError(Object.assign(new Error(`${code}: failed`), { code, path: '/data/file' }), '/data')
        checkOneLine(error)
        expect(error.exitCode).toBe(code === 'ENOSPC' || code === 'EDQUOT' ? 7 : 6)
        expect(error.message).toContain('/data')
      }),
    )
  })
})

describe('binaries', () => {
  test('none for the platform: one line that asks for DATABASE_URL', async () => {
    const error = await refusal({ dataDir: directories.make(), binaryFolders: ['/nonexistent'] })
    checkOneLine(error)
    expect(error.exitCode).toBe(6)
    expect(error.action).toContain('DATABASE_URL')
  })

  test('programs that are there but do not run are passed over', async () => {
    const folder = dirname(directories.make())
    writeFileSync(join(folder, 'postgres'), '#!/nonexistent/ld-musl\n', { mode: 0o755 })
    expect((await refusal({ dataDir: join(folder, 'data'), binaryFolders: [folder] })).action).toContain('DATABASE_URL')
  })

  test('a data directory of another major version names both versions', async () => {
    const dataDir = directories.make()
    mkdirSync(join(dataDir, 'postgres'), { recursive: true, mode: 0o700 })
    writeFileSync(join(dataDir, 'postgres', 'PG_VERSION'), '99\n')
    const error = await refusal({ dataDir })
    checkOneLine(error)
    expect(error.message).toMatch(/written by PostgreSQL 99, but only version .*18/)
  })

  test('a folder of something else is never overwritten', async () => {
    const dataDir = directories.make()
    mkdirSync(join(dataDir, 'postgres'), { recursive: true })
    writeFileSync(join(dataDir, 'postgres', 'letter.txt'), 'dear')
    expect((await refusal({ dataDir })).message).toContain('holds something that is no database')
    expect(existsSync(join(dataDir, 'postgres', 'letter.txt'))).toBe(true)
  })

  test('library links that npm did not make are made', () => {
    const native = join(directories.make(), 'native')
    mkdirSync(join(native, 'lib'), { recursive: true })
    writeFileSync(join(native, 'lib', 'libpq.so.5.18'), '')
    writeFileSync(
      join(native, 'pg-symlinks.json'),
      JSON.stringify([{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]),
    )
    ensureLibraryLinks(native)
    ensureLibraryLinks(native)
    expect(lstatSync(join(native, 'lib', 'libpq.so.5')).isSymbolicLink()).toBe(true)
    expect(statSync(join(native, 'lib', 'libpq.so.5')).isFile()).toBe(true)
  })
})

describe('bounds', () => {
  test('shared buffers are a power of two between 16 and 128 MB and at most a sixteenth of the memory from 256 MB on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 256, max: 1_000_000 }), (megabytes) => {
        const buffers = sharedBuffersMegabytes(megabytes * 2 ** 20)
        expect([16, 32, 64, 128]).toContain(buffers)
        expect(buffers).toBeLessThanOrEqual(megabytes / 16)
      }),
    )
  })

  test('a log that has grown too long is begun anew and kept once', () => {
    const dataDir = directories.make()
    mkdirSync(dataDir)
    const log = join(dataDir, 'postgres.log')
    writeFileSync(log, 'x'.repeat(1_000), { mode: 0o600 })
    trimServerLog(dataDir, 2_000)
    expect(statSync(log).size).toBe(1_000)
    trimServerLog(dataDir, 500)
    expect([statSync(log).size, statSync(`${log}.1`).size]).toEqual([0, 1_000])
    expect(readServerLog(dataDir, 0)).toBe('')
  })
})
