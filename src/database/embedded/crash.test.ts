import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { readServerFile } from './index.ts'
import { childrenOf, processStart } from './process-identity.ts'
import { loadServerFile, writeServerFile } from './server-file.ts'
import { dataDirectories } from './testing/data-directories.ts'
import { connectionOf, query, spawnOwner, startOwner, type Owner, type OwnerOptions } from './testing/owner-process.ts'

const directories = dataDirectories()
const owners: Owner[] = []

async function start(options: OwnerOptions): Promise<Owner> {
  const owner = await startOwner(options)
  owners.push(owner)
  return owner
}

async function expectGone(pid: number, milliseconds: number): Promise<void> {
  await vi.waitFor(async () => expect(await processStart(pid)).toBeNull(), { timeout: milliseconds, interval: 10 })
}

/** Kills the owner and both shells that would stop its server, so that PostgreSQL lives on alone. */
async function orphan(dataDir: string, owner: Owner): Promise<number> {
  const { watcherPid, postmasterPid } = loadServerFile(dataDir)!
  const shells = [watcherPid!, ...(await childrenOf(watcherPid!))].filter((pid) => pid !== postmasterPid)
  expect(shells).toHaveLength(2)
  for (const pid of shells) process.kill(pid, 'SIGKILL')
  await owner.kill()
  return postmasterPid!
}

afterEach(async () => {
  await Promise.all(owners.splice(0).map((owner) => owner.kill()))
})
afterAll(() => directories.clear())

describe('kill -9 of the owner', () => {
  test('PostgreSQL is gone within 2 s and the next start has the committed row', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    await query(connectionOf(first), 'create table t as select 1 as answer')
    await first.kill()
    await expectGone(first.answer.postmasterPid!, 2_000)
    expect(await readServerFile(dataDir)).toMatchObject({ alive: false, pid: first.pid })
    const second = await start({ dataDir })
    expect(await query(connectionOf(second), 'select answer from t')).toEqual([1])
  })

  test('during initdb leaves nothing that stops the next start', async () => {
    const dataDir = directories.make()
    mkdirSync(dataDir)
    const seen = new AbortController()
    const watching = watch(dataDir, { signal: seen.signal })
    const child = spawnOwner({ dataDir })
    while (!readdirSync(dataDir).some((name) => name.startsWith('postgres.new-'))) await once(watching, 'change')
    seen.abort()
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
    const next = await start({ dataDir })
    expect(await query(connectionOf(next), 'select 1')).toEqual([1])
    expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.new-'))).toEqual([])
  })

  test('a half-done database of an earlier initdb is removed', async () => {
    const dataDir = directories.make()
    mkdirSync(join(dataDir, 'postgres.new-abc123', 'data', 'base'), { recursive: true })
    writeFileSync(join(dataDir, 'postgres.new-abc123', 'data', 'PG_VERSION'), '18\n')
    const owner = await start({ dataDir })
    expect(owner.answer.error).toBeUndefined()
    expect(existsSync(join(dataDir, 'postgres.new-abc123'))).toBe(false)
  })
})

describe('a second start on the directory', () => {
  test('ends with code 75 and one line, leaves the first alone, and succeeds after kill -9 of the first', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    const { startedAt } = loadServerFile(dataDir)!
    const { answer } = await startOwner({ dataDir })
    expect(answer.milliseconds).toBeLessThan(2_000)
    expect(answer.error).toMatchObject({
      name: 'EmbeddedStartError',
      exitCode: 75,
      message: `Another Sheaf runs on ${dataDir} (pid ${first.pid} on ${hostname()}, started ${startedAt}).`,
    })
    expect(await query(connectionOf(first), 'select 1')).toEqual([1])
    await first.kill()
    const second = await start({ dataDir })
    expect(second.answer.milliseconds).toBeLessThan(1_000)
    expect(await query(connectionOf(second), 'select 1')).toEqual([1])
  })

  test('is refused too when somebody has removed the lock file', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    rmSync(join(dataDir, 'sheaf.lock'))
    const { answer } = await startOwner({ dataDir })
    expect(answer.error?.exitCode).toBe(75)
    expect(answer.error?.message).toContain(`pid ${first.pid} `)
    expect(loadServerFile(dataDir)?.pid).toBe(first.pid)
  })

  test('of two at the same moment on a new directory exactly one wins', async () => {
    const dataDir = directories.make()
    const both = await Promise.all([start({ dataDir }), start({ dataDir })])
    expect(both.map(({ answer }) => answer.error?.exitCode ?? 0).toSorted()).toEqual([0, 75])
    const [loser] = both.filter(({ answer }) => answer.error !== undefined)
    const [winner] = both.filter(({ answer }) => answer.error === undefined)
    expect(loser!.answer.error?.message).toContain(`pid ${winner!.pid} `)
  })
})

describe('a server that lives on without its owner', () => {
  test('and without its watcher is adopted, and does not outlive its second owner either', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    await query(connectionOf(first), 'create table t as select 3 as answer')
    const pid = await orphan(dataDir, first)
    const second = await start({ dataDir })
    expect(second.answer.postmasterPid).toBe(pid)
    expect(await query(connectionOf(second), 'select answer from t')).toEqual([3])
    await second.kill()
    await expectGone(pid, 2_000)
  })

  test('is stopped by stop() after it was adopted', async () => {
    const dataDir = directories.make()
    const pid = await orphan(dataDir, await start({ dataDir }))
    const second = await start({ dataDir })
    await second.stop()
    expect(await processStart(pid)).toBeNull()
    expect(await readServerFile(dataDir)).toBeNull()
  })

  test('and does not answer is replaced', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    await query(connectionOf(first), 'create table t as select 4 as answer')
    const pid = await orphan(dataDir, first)
    process.kill(pid, 'SIGSTOP')
    const second = await start({ dataDir })
    expect(second.answer.postmasterPid).not.toBe(pid)
    expect(await query(connectionOf(second), 'select answer from t')).toEqual([4])
  })
})

describe('after a power cut', () => {
  test('marks with the number of an unrelated living process and another boot id do not block the start', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    await query(connectionOf(first), 'create table t as select 5 as answer')
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid')
    const lines = readFileSync(pidFile, 'utf8').split('\n')
    const pid = await orphan(dataDir, first)
    process.kill(pid, 'SIGKILL')
    await expectGone(pid, 2_000)
    const bystander = spawn('sleep', ['600'])
    try {
      const marks = [String(bystander.pid), ...lines.slice(1)].join('\n')
      writeFileSync(pidFile, marks)
      writeFileSync(join(dataDir, 'postgres', '.s.PGSQL.5432.lock'), marks)
      const numbers = { pid: bystander.pid!, watcherPid: bystander.pid!, postmasterPid: bystander.pid! }
      writeServerFile(dataDir, { ...loadServerFile(dataDir)!, ...numbers, bootId: 'of an earlier boot' })
      const second = await start({ dataDir })
      expect(await query(connectionOf(second), 'select answer from t')).toEqual([5])
      expect(await processStart(bystander.pid!)).not.toBeNull()
    } finally {
      bystander.kill()
    }
  })

  test('a damaged server.json and an empty postmaster.pid do not block the start', async () => {
    const dataDir = directories.make()
    const first = await start({ dataDir })
    await first.kill()
    await expectGone(first.answer.postmasterPid!, 2_000)
    writeFileSync(join(dataDir, 'server.json'), '{"pid": 1')
    writeFileSync(join(dataDir, 'postgres', 'postmaster.pid'), '')
    const second = await start({ dataDir })
    expect(await query(connectionOf(second), 'select 1')).toEqual([1])
  })
})
