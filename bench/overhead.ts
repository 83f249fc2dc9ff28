import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { calm, circumstances, median, milliseconds, number, ratio, spread, table, verdict } from './measure.ts'
import { writeTextPdf } from './pdf-writer.ts'

const ROUNDS = 3
const PROGRAM = fileURLToPath(new URL('../bin/sheaf.js', import.meta.url))

interface Pile {
  name: string
  files: number
  pages: number
  /** At most so many times the wall time of pdftotext. */
  limit: number
}

const PILES: readonly Pile[] = [
  { name: '500 PDFs of 1 page', files: 500, pages: 1, limit: 1.5 },
  { name: '10 PDFs of 200 pages', files: 10, pages: 200, limit: 2 },
]

/** Wall time of the whole program against that of the bare text extraction with positions, on the same files. */
export async function benchOverhead(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-measure-'))
  try {
    const rows: string[][] = []
    for (const pile of PILES) rows.push(...(await onPile(folder, pile)))
    return [
      '### `sheaf run` against pdftotext',
      `From the start of the process to its end, all results written. \`pdftotext -bbox-layout\` on two processes; ${ROUNDS} interleaved rounds, median of the seconds and of the ratios. ${circumstances()}`,
      table(['files and program', 'seconds', 'range', 'against pdftotext'], rows),
    ].join('\n\n')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function onPile(folder: string, pile: Pile): Promise<string[][]> {
  const input = join(folder, `${pile.files}x${pile.pages}`)
  const other = join(folder, 'other')
  await writePile(input, pile, 1)
  await writePile(other, { ...pile, files: 1, pages: 1 }, 900_001)
  const seconds = { plain: [] as number[], fresh: [] as number[], existing: [] as number[] }
  for (let round = 0; round <= ROUNDS; round++) {
    await calm()
    const plain = await milliseconds(() => extractPlain(folder, input))
    await calm()
    const fresh = await runSheaf(folder, input, `${pile.files}-fresh-${round}`, pile.files)
    const data = `${pile.files}-existing-${round}`
    await runSheaf(folder, other, data, 1)
    await calm()
    const existing = await runSheaf(folder, input, data, pile.files)
    if (round === 0) continue // fills the caches of files and compiled code
    seconds.plain.push(plain / 1000)
    seconds.fresh.push(fresh / 1000)
    seconds.existing.push(existing / 1000)
  }
  const row = (name: string, values: number[], against: string): string[] => [
    `${pile.name}: ${name}`,
    number(median(values), 2),
    spread(values, 2),
    against,
  ]
  const [fresh, existing] = [ratio(seconds.fresh, seconds.plain), ratio(seconds.existing, seconds.plain)]
  return [
    row('pdftotext, 2 processes', seconds.plain, ''),
    row(
      'sheaf run, fresh data directory',
      seconds.fresh,
      verdict(fresh <= pile.limit, `${number(fresh, 2)}× (≤ ${pile.limit}×)`),
    ),
    row('sheaf run, existing data directory', seconds.existing, `${number(existing, 2)}×`),
  ]
}

async function writePile(folder: string, pile: Pile, firstSeed: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (let i = 0; i < pile.files; i++)
    await writeFile(join(folder, `document-${String(i).padStart(4, '0')}.pdf`), writeTextPdf(firstSeed + i, pile.pages))
}

async function extractPlain(folder: string, input: string): Promise<void> {
  const out = join(folder, 'plain')
  await rm(out, { recursive: true, force: true })
  await mkdir(out)
  const names = await readdir(input)
  const child = spawn(
    'xargs',
    ['-P', '2', '-I{}', 'pdftotext', '-bbox-layout', join(input, '{}'), join(out, '{}.html')],
    {
      stdio: ['pipe', 'inherit', 'inherit'],
    },
  )
  child.stdin.end(names.join('\n'))
  const [code] = (await once(child, 'exit')) as [number]
  if (code !== 0) throw new Error('pdftotext (poppler-utils) is not installed or failed')
}

/** Runs the program in a data directory named `data`; returns milliseconds. Throws unless every document succeeded. */
async function runSheaf(folder: string, input: string, data: string, documents: number): Promise<number> {
  const out = join(folder, `out-${data}`)
  const began = performance.now()
  const child = spawn(
    process.execPath,
    [PROGRAM, 'run', input, '--out', out, '--data', join(folder, `data-${data}`), '--json'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const elapsed = performance.now() - began
  if (code !== 0) throw new Error(`sheaf run ended with ${code}: ${errors.slice(-500)}`)
  const { counters } = JSON.parse(output) as { counters: { succeeded: number } }
  if (counters.succeeded !== documents) throw new Error(`${counters.succeeded} of ${documents} documents succeeded`)
  return elapsed
}
