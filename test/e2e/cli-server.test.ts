import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jsonLines, manyLetters, writeLetters } from './letters.ts'
import { sheaf, startSheaf } from './sheaf-process.ts'

let root: string
let input: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cli-'))
  input = join(root, 'letters')
  await writeLetters(input)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('a run that is cut off', () => {
  test('goes on where it was killed, and the order stays', async () => {
    const [folder, out, own] = ['many', 'many-results', 'many-data'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ]
    const names = await manyLetters(folder, 120)
    const command = ['run', folder, '--out', out, '--data', own]
    expect(await sheaf(command, { SHEAF_FAILPOINT: 'after-intake-commit:kill@3' })).toMatchObject({ signal: 'SIGKILL' })
    const ended = await sheaf(command)
    expect(ended).toMatchObject({ code: 0 })
    expect(ended.stderr).toMatch(/Continuing the batch "many"/)
    expect((await jsonLines(join(out, 'documents.jsonl'))).map((document) => document['path'])).toEqual(names)
    const batches = await sheaf(['batches', '--json', '--data', own])
    expect(JSON.parse(batches.stdout)).toMatchObject([
      { name: 'many', status: 'completed', counters: { total: 120, succeeded: 120 } },
    ])
  })

  test('Ctrl-C stops cleanly, says how to go on, and ends with 130', async () => {
    const [folder, out, own] = ['more', 'more-results', 'more-data'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ]
    await manyLetters(folder, 400)
    const command = ['run', folder, '--out', out, '--data', own]
    const running = startSheaf(command)
    // the note is there as soon as there is a batch
    const noted = async (): Promise<unknown> => readFile(join(out, '.sheaf-run.json'), 'utf8').catch(() => null)
    while ((await noted()) === null && running.child.exitCode === null);
    running.child.kill('SIGINT')
    const stopped = await running.ended
    expect(stopped).toMatchObject({ code: 130, stdout: '' })
    expect(stopped.stderr).toMatch(/^Stopping\. Run the same command again to continue\.$/m)
    expect(await sheaf(command)).toMatchObject({ code: 0 })
    expect(await jsonLines(join(out, 'documents.jsonl'))).toHaveLength(400)
  })
})

describe('a directory whose server runs', () => {
  let own: string
  let server: ReturnType<typeof startSheaf>
  let url: string
  let key: string
  beforeAll(async () => {
    own = join(root, 'served')
    server = startSheaf(['serve', '--port', '0', '--data', own])
    url = (await server.printed(/^Sheaf is ready at (http:\/\/127\.0\.0\.1:\d+)/m))[1]!
    key = (await readFile(join(own, 'api-key'), 'utf8')).trim()
  })
  afterAll(() => {
    if (server.child.exitCode === null) server.child.kill('SIGKILL')
  })

  test('a second server ends with 75 and names the first', async () => {
    const second = await sheaf(['serve', '--port', '0', '--data', own])
    expect(second).toMatchObject({ code: 75, stdout: '' })
    expect(second.stderr).toMatch(new RegExp(`pid ${server.child.pid} on `))
  })

  test('a run hands its job to it', async () => {
    const out = join(root, 'served-results')
    expect(await sheaf(['run', input, '--out', out, '--data', own])).toMatchObject({ code: 1 })
    const listed = await fetch(`${url}/api/batches`, { headers: { authorization: `Bearer ${key}` } })
    expect(await listed.json()).toMatchObject({ items: [{ name: 'letters', status: 'partial' }] })
    expect(await jsonLines(join(out, 'documents.jsonl'))).toHaveLength(13)
  })

  test('--server and --key reach it from anywhere, a wrong key ends with 4', async () => {
    const listed = await sheaf(['batches', '--json', '--server', url, '--key', key])
    expect(JSON.parse(listed.stdout)).toMatchObject([{ name: 'letters' }])
    expect(await sheaf(['batches', '--server', url, '--key', 'wrong'])).toMatchObject({ code: 4, stdout: '' })
  })

  test('a batch is paused, resumed and cancelled by name', async () => {
    const created = await fetch(`${url}/api/batches`, {
      method: 'POST',
      body: JSON.stringify({ name: 'held' }),
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    })
    expect(created.status).toBe(201)
    for (const [command, status] of [
      ['pause', 'paused'],
      ['resume', 'open'],
      ['cancel', 'cancelled'],
    ] as const) {
      const { code, stdout } = await sheaf([command, 'held', '--json', '--data', own])
      expect(code).toBe(0)
      expect([status, command === 'cancel' ? 'cancelling' : status, 'finalizing', 'completed']).toContain(
        (JSON.parse(stdout) as { status: string }).status,
      )
    }
    expect(await sheaf(['pause', 'held', '--data', own])).toMatchObject({ code: 1, stdout: '' })
  })

  test('a taken port is one clear line', async () => {
    const other = await sheaf(['serve', '--port', new URL(url).port, '--data', join(root, 'other')])
    expect(other).toMatchObject({ code: 6, stdout: '' })
    expect(other.stderr).toMatch(/The port \d+ is taken/)
  })

  test('SIGTERM ends it with 0', async () => {
    server.child.kill('SIGTERM')
    expect(await server.ended).toMatchObject({ code: 0 })
    expect(await readdir(own)).not.toContain('server.json')
  })
})
