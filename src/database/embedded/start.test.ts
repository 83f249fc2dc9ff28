import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { readServerFile, startEmbeddedServer, updateServerFile, type EmbeddedServer } from './index.ts'
import { dataDirectories } from './testing/data-directories.ts'
import { connectionOf, query, startOwner, type Connection } from './testing/owner-process.ts'

const directories = dataDirectories()
const servers: EmbeddedServer[] = []

async function start(dataDir: string): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ dataDir })
  servers.push(server)
  return server
}

const connection = ({ socketDirectory, port, superuser }: EmbeddedServer): Connection => ({
  socketDirectory,
  port,
  password: superuser.password,
})

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8)

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})
afterAll(() => directories.clear())

describe('start and stop', () => {
  test('the first start makes a database, the second finds its rows', async () => {
    const dataDir = directories.make()
    const first = await start(dataDir)
    await query(connection(first), 'create table t as select 42 as answer')
    await first.stop()
    const second = await start(dataDir)
    expect(await query(connection(second), 'select answer from t')).toEqual([42])
    expect(second.loginPassword).toBe(first.loginPassword)
    expect(second.loginPassword).not.toBe(second.superuser.password)
  })

  test('only the owner may look, only the socket listens, only the password opens', async () => {
    const dataDir = directories.make()
    const server = await start(dataDir)
    expect([dataDir, join(dataDir, 'postgres'), server.socketDirectory].map(mode)).toEqual(['700', '700', '700'])
    const files = ['server.json', 'postgres.log', 'sheaf.lock', 'postgres.lock', 'postgres/sheaf-passwords.json']
    expect(files.map((name) => mode(join(dataDir, name)))).toEqual(files.map(() => '600'))
    expect(await query(connection(server), 'show listen_addresses')).toEqual([''])
    await expect(query({ ...connection(server), password: 'guessed' }, 'select 1')).rejects.toThrow(
      /password authentication failed/,
    )
    const hba = await query(
      connection(server),
      "select concat_ws(' ', type, database, user_name, auth_method) from pg_hba_file_rules",
    )
    expect(hba).toEqual(['local {all} {all} scram-sha-256'])
    expect(readFileSync(join(dataDir, 'server.json'), 'utf8')).not.toContain(server.superuser.password)
  })

  test('the database is durable and needs no ICU', async () => {
    const server = await start(directories.make())
    const names = ['fsync', 'full_page_writes', 'synchronous_commit', 'data_checksums', 'jit', 'server_encoding']
    const shown = await Promise.all(names.map((name) => query(connection(server), `show ${name}`)))
    expect(shown.flat()).toEqual(['on', 'on', 'on', 'on', 'off', 'UTF8'])
    expect(await query(connection(server), 'select distinct datlocprovider::text from pg_database')).toEqual(['c'])
  })

  test('server.json names the server while it runs and goes with it', async () => {
    const dataDir = directories.make()
    const server = await start(dataDir)
    await updateServerFile(dataDir, { httpAddress: 'http://127.0.0.1:3000' })
    expect(await readServerFile(dataDir)).toMatchObject({
      alive: true,
      pid: process.pid,
      postmasterPid: server.postmasterPid,
      socketDirectory: server.socketDirectory,
      port: server.port,
      httpAddress: 'http://127.0.0.1:3000',
    })
    await Promise.all([server.stop(), server.stop()])
    expect(await readServerFile(dataDir)).toBeNull()
    expect(readdirSync(join(dataDir, 'postgres'))).not.toContain('postmaster.pid')
  })
})

describe('paths', () => {
  test('a data directory of 150 characters gets a private socket folder elsewhere, which goes again', async () => {
    const dataDir = directories.make('a'.repeat(150))
    const server = await start(dataDir)
    const name = `sheaf-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`
    expect(server.socketDirectory.endsWith(name)).toBe(true)
    expect(mode(server.socketDirectory)).toBe('700')
    expect(await query(connection(server), 'select 1')).toEqual([1])
    await server.stop()
    expect(statSync(server.socketDirectory, { throwIfNoEntry: false })).toBeUndefined()
  })

  test('the socket folder lies in $XDG_RUNTIME_DIR when there is one', async () => {
    const runtime = directories.make()
    mkdirSync(runtime, { mode: 0o700 })
    const owner = await startOwner({
      dataDir: directories.make('b'.repeat(150)),
      prefix: ['env', `XDG_RUNTIME_DIR=${runtime}`],
    })
    expect(dirname(connectionOf(owner).socketDirectory)).toBe(runtime)
    await owner.stop()
  })

  test('a socket folder that somebody else has put there is refused', async () => {
    const runtime = directories.make()
    const dataDir = directories.make('c'.repeat(150))
    mkdirSync(runtime, { mode: 0o700 })
    const planted = join(runtime, `sheaf-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`)
    symlinkSync(dirname(dataDir).slice(0, 20), planted)
    const { answer } = await startOwner({ dataDir, prefix: ['env', `XDG_RUNTIME_DIR=${runtime}`] })
    expect(answer.error).toMatchObject({
      name: 'EmbeddedStartError',
      exitCode: 6,
      message: `${planted} belongs to somebody else.`,
    })
  })

  test('a folder with quotes, commas and spaces in its name below one that only we can enter', async () => {
    const dataDir = directories.make(`it's "mine", é `, 'below')
    mkdirSync(dirname(dirname(dataDir)))
    await chmod(dirname(dirname(dataDir)), 0o700)
    const server = await start(dataDir)
    expect(await query(connection(server), 'select 1')).toEqual([1])
  })
})

describe('supervision', () => {
  test('`ended` tells of a killed server, and restart brings it back with what was committed', async () => {
    const server = await start(directories.make())
    await query(connection(server), 'create table t as select 7 as answer')
    const before = server.postmasterPid
    process.kill(before, 'SIGKILL')
    expect(await server.ended).toEqual({ code: null, signal: 'SIGKILL' })
    await server.restart()
    expect(server.postmasterPid).not.toBe(before)
    expect(await query(connection(server), 'select answer from t')).toEqual([7])
  })

  test('restart ends a server that hangs, within 10 s, without `ended` being told', async () => {
    const dataDir = directories.make()
    const server = await start(dataDir)
    await query(connection(server), 'create table t as select 8 as answer')
    const told = vi.fn<() => void>()
    void server.ended.then(told)
    process.kill(server.postmasterPid, 'SIGSTOP')
    const begun = performance.now()
    await server.restart()
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(await query(connection(server), 'select answer from t')).toEqual([8])
    expect((await readServerFile(dataDir))?.postmasterPid).toBe(server.postmasterPid)
    expect(told).not.toHaveBeenCalled()
  })
})
