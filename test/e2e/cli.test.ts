import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse as parseCsv } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jsonLines, LABELS, writeLetters } from './letters.ts'
import { sheaf } from './sheaf-process.ts'

const ANSI = /\u001b\[/

let root: string
let input: string
let data: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cli-'))
  input = join(root, 'letters')
  data = join(root, 'data')
  await writeLetters(input)
})
afterAll(() => rm(root, { recursive: true, force: true }))

describe('the command line itself', () => {
  test('help and version end well, and name every command', async () => {
    const help = await sheaf(['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    for (const command of [
      'serve',
      'run',
      'parse',
      'batches',
      'status',
      'retry',
      'cancel',
      'pause',
      'resume',
      'delete',
      'export',
      'failpoints',
    ]) {
      expect(help.stdout).toMatch(new RegExp(`^  ${command}\\b`, 'm'))
    }
    const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    expect(await sheaf(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' })
    expect((await sheaf(['run', '--help'])).stdout).toContain('Examples:')
  })

  test.each([
    [['nonsense'], /Unknown command 'nonsense'/],
    [['run'], /Missing required argument/],
    [['run', '.'], /Where the results go/],
    [['status', 'x', '--nonsense'], /Unknown option/],
    [['serve', '--port', '70000'], /whole number from 0 to 65535/],
    [['parse', '.', '--out', 'x', '--format', 'doc'], /Allowed choices/],
    [['run', '.', '--out', 'x', '--export', 'xlsy'], /no export format "xlsy"/],
    [['run', '.', '--out', 'x', '--pipeline', 'nonsense'], /neither a preset nor a file/],
    [['batches', '--server', 'nonsense', '--key', 'k'], /is not a URL/],
  ])('sheaf %j is a usage error', async (args, said) => {
    const ended = await sheaf(args)
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(said)
    expect(ended.stderr).not.toMatch(/\n\s+at /)
  })

  test('what is not there ends with 3, a server that does not answer with 6', async () => {
    expect(await sheaf(['run', join(root, 'nowhere'), '--out', join(root, 'x')])).toMatchObject({ code: 3, stdout: '' })
    expect(await sheaf(['batches', '--server', 'http://127.0.0.1:9', '--key', 'k'])).toMatchObject({
      code: 6,
      stdout: '',
    })
    expect(await sheaf(['batches', '--server', 'http://127.0.0.1:9'])).toMatchObject({ code: 4, stdout: '' })
  })
})

describe('sheaf run', () => {
  let out: string
  beforeAll(() => {
    out = join(root, 'results')
  })

  test('a dry run counts and stores nothing', async () => {
    const { code, stdout } = await sheaf(['run', input, '--dry-run', '--json', '--data', data])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      files: 11,
      duplicates: [{ paths: ['a.txt', 'again.txt'] }],
      empty: ['empty.txt'],
      unreadable: [],
    })
    expect(await readdir(root)).not.toContain('data')
  })

  test('reads a folder and writes its files, in the order of the input', async () => {
    const ended = await sheaf(['run', input, '--out', out, '--data', data, '--export', 'csv,jsonl'])
    expect(ended.code).toBe(1)
    expect(ended.stdout).toMatch(/letters partial: 10 of 13 documents read, 1 skipped as repetitions, 2 failed/)
    expect(ended.stdout).toMatch(/1 failed, corrupt: .+\n {2}sub\/damaged\.pdf/)
    expect(ended.stdout).toMatch(/1 failed, rejected: The file is empty\.\n {2}empty\.txt/)
    expect(ended.stdout + ended.stderr).not.toMatch(ANSI)
    expect((await readdir(out)).toSorted()).toEqual([
      '.sheaf-run.json',
      'batch.json',
      'documents.jsonl',
      'manifest.csv',
      'results.csv',
      'results.jsonl',
    ])
    const documents = await jsonLines(join(out, 'documents.jsonl'))
    expect(documents.map((document) => document['path'])).toEqual(LABELS)
    expect(documents[1]).toMatchObject({
      state: 'succeeded',
      attempts: 1,
      mediaType: 'text/plain',
      error: null,
      issues: [],
      pages: 1,
      words: 7,
      fields: {},
    })
    expect(documents.find(({ path }) => path === 'sub/damaged.pdf')).toMatchObject({
      state: 'failed',
      error: { category: 'corrupt', retryable: false },
    })
    const batch = JSON.parse(await readFile(join(out, 'batch.json'), 'utf8')) as Record<string, unknown>
    expect(Object.keys(batch)).toEqual([
      'id',
      'name',
      'status',
      'intake',
      'run',
      'counters',
      'timestamps',
      'pipeline',
      'summary',
      'similarity',
      'clusters',
      'usage',
    ])
    expect(batch).toMatchObject({
      name: 'letters',
      status: 'partial',
      intake: 'closed',
      counters: { total: 13, succeeded: 10, skipped: 1, failed: 2 },
    })
    for (const file of ['manifest.csv', 'results.csv']) {
      const rows = parseCsv(await readFile(join(out, file), 'utf8'), { columns: true }) as Record<string, string>[]
      expect(rows.map((row) => row['path'])).toEqual(LABELS)
    }
    expect(await jsonLines(join(out, 'results.jsonl'))).toHaveLength(13)
  })

  test('the same command again writes the same files of the same batch', async () => {
    const before = await Promise.all(
      ['batch.json', 'documents.jsonl', 'manifest.csv', 'results.csv'].map((name) => readFile(join(out, name), 'utf8')),
    )
    const again = await sheaf(['run', input, '--out', out, '--data', data, '--export', 'csv'])
    expect(again.code).toBe(1)
    expect(again.stderr).toMatch(/Writing the files again/)
    expect(
      await Promise.all(
        ['batch.json', 'documents.jsonl', 'manifest.csv', 'results.csv'].map((name) =>
          readFile(join(out, name), 'utf8'),
        ),
      ),
    ).toEqual(before)
  })

  test('every command that prints data prints JSON when asked', async () => {
    const elsewhere = join(root, 'exported')
    const commands = [
      ['batches'],
      ['status', 'letters'],
      ['retry', 'letters', '--dry-run'],
      ['retry', 'letters', '--where', 'category=corrupt', '--wait'],
      ['export', 'letters', '--format', 'csv', '--out', elsewhere],
      ['run', input, '--out', out],
      ['failpoints'],
      ['parse', join(input, 'a.txt'), '--out', join(root, 'texts')],
    ]
    for (const command of commands) {
      const { stdout, stderr, code } = await sheaf([...command, '--json', '--data', data])
      expect(
        () => JSON.parse(stdout) as unknown,
        `sheaf ${command.join(' ')} (${code}) printed ${stdout}${stderr}`,
      ).not.toThrow()
      expect(stdout).not.toMatch(ANSI)
    }
    expect(await readFile(join(elsewhere, 'results.csv'), 'utf8')).toBe(
      await readFile(join(out, 'results.csv'), 'utf8'),
    )
  })

  test('status shows the row of the view and the batch', async () => {
    const { stdout } = await sheaf(['status', 'letters', '--json', '--data', data])
    const status = JSON.parse(stdout) as Record<string, unknown>
    expect(Object.keys(status)).toHaveLength(20)
    expect(status).toMatchObject({
      total_files: 11,
      total_documents: 13,
      completed_count: 10,
      failed_count: 2,
      computed_status: 'completed',
      batch: { name: 'letters', phase: 'CLOSED' },
    })
    const text = await sheaf(['status', 'letters', '--data', data])
    expect(text.stdout).toMatch(/letters {2}partial\n[\s\S]*10 succeeded, 2 failed, 1 skipped/)
  })

  test('a changed input is another batch, and then the name alone says too little', async () => {
    await writeFile(join(input, 'late.txt'), 'A letter that came late.\n')
    expect(await sheaf(['run', input, '--out', out, '--data', data])).toMatchObject({ code: 1 })
    const ambiguous = await sheaf(['status', 'letters', '--data', data])
    expect(ambiguous).toMatchObject({ code: 2, stdout: '' })
    expect(ambiguous.stderr).toMatch(/2 batches are named "letters"\.\n[\s\S]*[0-9a-f-]{36}/)
  })

  test('delete waits for the receipt, and nothing is left', async () => {
    const { id } = JSON.parse(await readFile(join(out, 'batch.json'), 'utf8')) as { id: string }
    const receipt = join(root, 'receipt.json')
    const { code, stdout } = await sheaf(['delete', id, '--receipt', receipt, '--json', '--data', data])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      batchId: id,
      batchName: 'letters',
      receipt: { rows: { documents: 14 }, left: { documents: 0 } },
    })
    expect(JSON.parse(await readFile(receipt, 'utf8'))).toEqual(JSON.parse(stdout))
    expect(await sheaf(['status', id, '--data', data])).toMatchObject({ code: 3, stdout: '' })
  })
})
