import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse as parseCsv } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeZip } from '../support/zip-writer.ts'
import { sheaf, startSheaf } from './sheaf-process.ts'

const GOLDEN = fileURLToPath(new URL('../golden/sources/', import.meta.url))
const ANSI = /\u001b\[/

let root: string
let input: string
let data: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sheaf-cli-'))
  input = join(root, 'letters')
  data = join(root, 'data')
  await writeInput(input)
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** A folder with one file of each kind: good, damaged, empty, repeated, packed. */
async function writeInput(folder: string): Promise<void> {
  const files: Record<string, string | Buffer> = {
    'a.txt': 'The first letter speaks of the harvest.\n',
    'sub/b.md': '# Second\n\nA letter in Markdown.\n',
    'sub/c.html': '<h1>Third</h1><p>A letter in HTML.</p>',
    'numbers.csv': 'name,amount\nAda,12\nBob,30\n',
    'again.txt': 'The first letter speaks of the harvest.\n',
    'empty.txt': '',
    '.hidden.txt': 'A hidden letter is read as well.\n',
    '.DS_Store': 'litter',
    'odd "name" 100% \\ ünï.txt': 'Names are only labels, whatever they hold.\n',
    'packed.zip': writeZip([
      { name: 'inside/d.txt', content: Buffer.from('A packed letter about winter.\n') },
      { name: 'e.md', content: Buffer.from('# Fifth\n\nAnother packed letter.\n') },
    ]),
  }
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await copyFile(join(GOLDEN, 'rotation.pdf'), join(folder, 'sub/rotation.pdf'))
  await copyFile(join(GOLDEN, 'pdfjs-bug1020226.pdf'), join(folder, 'sub/damaged.pdf'))
}

const IN_ORDER = [
  '.hidden.txt',
  'a.txt',
  'again.txt',
  'empty.txt',
  'numbers.csv',
  'odd "name" 100% \\ ünï.txt',
  'packed.zip',
  'packed.zip/inside/d.txt',
  'packed.zip/e.md',
  'sub/b.md',
  'sub/c.html',
  'sub/damaged.pdf',
  'sub/rotation.pdf',
]
// a backslash parts a path as `/` does, whatever machine it comes from
const LABELS = IN_ORDER.map((path) => path.replace(' \\ ', ' / '))

const jsonLines = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

async function manyFiles(folder: string, count: number): Promise<string[]> {
  await mkdir(folder, { recursive: true })
  const names = Array.from({ length: count }, (_, index) => `letter-${String(index).padStart(4, '0')}.txt`)
  await Promise.all(
    names.map((name, index) => writeFile(join(folder, name), `This is letter number ${index} of many letters.\n`)),
  )
  return names
}

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

describe('a run that is cut off', () => {
  test('goes on where it was killed, and the order stays', async () => {
    const [folder, out, own] = ['many', 'many-results', 'many-data'].map((name) => join(root, name)) as [
      string,
      string,
      string,
    ]
    const names = await manyFiles(folder, 120)
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
    await manyFiles(folder, 400)
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
    expect(await jsonLines(join(out, 'documents.jsonl'))).toHaveLength(14)
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

describe('sheaf parse', () => {
  const parsed = (name: string): string => join(root, name)

  test('writes each document beside its path, and the failures as lines', async () => {
    const out = parsed('markdown')
    const ended = await sheaf(['parse', input, '--out', out])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('errors.jsonl')
    expect(await readFile(join(out, 'sub/c.html.md'), 'utf8')).toContain('Third')
    expect(await readFile(join(out, 'packed.zip/inside/d.txt.md'), 'utf8')).toBe('A packed letter about winter.\n')
    const errors = await jsonLines(join(out, 'errors.jsonl'))
    expect(errors).toMatchObject([
      { path: 'empty.txt', error: { code: 'empty_file', category: 'rejected' } },
      { path: 'sub/damaged.pdf', error: { category: 'corrupt', stage: 'parse' } },
    ])
  })

  test('JSON has the shape of a reading, text is plain', async () => {
    const out = parsed('json')
    expect(
      await sheaf([
        'parse',
        join(input, 'sub/rotation.pdf'),
        join(input, 'a.txt'),
        '--out',
        out,
        '--format',
        'json',
        '--workers',
        '1',
      ]),
    ).toMatchObject({ code: 0 })
    const reading = JSON.parse(await readFile(join(out, 'rotation.pdf.json'), 'utf8')) as Record<string, unknown>
    expect(reading).toMatchObject({
      schema: 'sheaf.document/1',
      path: 'rotation.pdf',
      mediaType: 'application/pdf',
      issues: [],
    })
    expect(Object.keys(reading).toSorted()).toEqual([
      'issues',
      'language',
      'mediaType',
      'metadata',
      'pages',
      'path',
      'schema',
      'sha256',
      'text',
      'title',
    ])
    expect(await sheaf(['parse', join(input, 'a.txt'), '--out', out, '--format', 'text'])).toMatchObject({ code: 0 })
    expect(await readFile(join(out, 'a.txt.txt'), 'utf8')).toBe('The first letter speaks of the harvest.\n')
    expect(await readdir(out)).not.toContain('errors.jsonl')
  })

  test('leaves nothing in the folder for temporary files', async () => {
    const temporary = join(root, 'temporary')
    await mkdir(temporary)
    await sheaf(['parse', input, '--out', parsed('clean')], { TMPDIR: temporary })
    expect((await readdir(temporary)).filter((name) => name.startsWith('sheaf'))).toEqual([])
  })
})
