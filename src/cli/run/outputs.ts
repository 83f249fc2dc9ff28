import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { DocumentError } from '../../core/index.ts'
import { batchPath, listAll, type Batch } from '../client/batches.ts'
import type { Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import { collectOutcome, type Outcome } from './outcome.ts'
import { writeWhole } from './write-whole.ts'

/** Writes the files of a run; `batch.json` comes last, so that its presence says that the others are whole. */
export async function writeOutputs(
  connection: Connection,
  batch: Batch,
  out: string,
  formats: readonly string[],
): Promise<{ outcome: Outcome; files: string[] }> {
  const [outcome, , exported] = await Promise.all([
    writeDocuments(connection, batch, join(out, 'documents.jsonl')),
    download(connection, batchPath(batch.id, '/manifest'), join(out, 'manifest.csv')),
    writeExports(connection, batch, out, formats),
  ])
  await writeWhole(join(out, 'batch.json'), [`${JSON.stringify(describeBatch(batch), null, 2)}\n`])
  return { outcome, files: ['batch.json', 'documents.jsonl', 'manifest.csv', ...exported] }
}

function describeBatch({
  id,
  name,
  status,
  intake,
  run,
  counters,
  timestamps,
  pipeline,
  summary,
}: Batch): Record<string, unknown> {
  return {
    id,
    name,
    status,
    intake,
    run,
    counters,
    timestamps,
    pipeline,
    summary,
    similarity: null,
    clusters: [],
    usage: null,
  }
}

interface DetailedDocument extends Record<string, unknown> {
  path: string
  state: string
  error: DocumentError | null
  attempts: unknown[]
}

/** One line for each document in input order; what went wrong is collected on the way. */
async function writeDocuments(connection: Connection, batch: Batch, file: string): Promise<Outcome> {
  const { add, outcome } = collectOutcome()
  await writeWhole(
    file,
    (async function* () {
      for await (const page of listAll<DetailedDocument>(connection, batchPath(batch.id, '/documents'), {
        full: 'true',
      })) {
        page.forEach(add)
        yield page.map((document) => `${JSON.stringify(describeDocument(document))}\n`).join('')
      }
    })(),
  )
  return outcome()
}

/** The keys of `documents.jsonl`, in this order. */
const DOCUMENT_KEYS = [
  'id',
  'path',
  'sha256',
  'bytes',
  'mediaType',
  'type',
  'language',
  'state',
  'attempts',
  'error',
  'issues',
  'pages',
  'words',
  'parseMs',
  'fields',
  'authorship',
  'scoreReport',
  'cluster',
  'nearDuplicates',
]

function describeDocument(document: DetailedDocument): Record<string, unknown> {
  const attempts = document.attempts.length
  return Object.fromEntries(DOCUMENT_KEYS.map((key) => [key, key === 'attempts' ? attempts : (document[key] ?? null)]))
}

interface ExportState {
  id: string
  state: 'queued' | 'running' | 'completed' | 'failed'
  error: DocumentError | null
  contentUrl: string | null
}

const LOOK_MS = 50

/** Has each format made and fetches it as `results.<format>`; returns the names of the files. */
export async function writeExports(
  connection: Connection,
  batch: Batch,
  out: string,
  formats: readonly string[],
): Promise<string[]> {
  return Promise.all(
    formats.map(async (format) => {
      let made = await connection.request<ExportState>('POST', batchPath(batch.id, '/exports'), { json: { format } })
      while (made.state !== 'completed') {
        if (made.state === 'failed')
          throw new CommandFailure(
            EXIT.someFailed,
            `The export as ${format} failed: ${made.error?.message ?? 'no reason is known'}`,
            made.error?.action ?? null,
          )
        await delay(LOOK_MS)
        made = await connection.request<ExportState>('GET', `/api/exports/${made.id}`)
      }
      await download(connection, made.contentUrl!, join(out, `results.${format}`))
      return `results.${format}`
    }),
  )
}

async function download(connection: Connection, path: string, file: string): Promise<void> {
  const { body } = await connection.send({ method: 'GET', path })
  await writeWhole(file, body)
}

/** The formats of a list such as `csv,jsonl`, each once. Throws a usage error for one that there is not. */
export async function readFormats(given: string | undefined): Promise<string[]> {
  if (given === undefined) return []
  const { EXPORT_FORMATS } = await import('../../export/index.ts')
  const formats = [
    ...new Set(
      given
        .split(',')
        .map((format) => format.trim().toLowerCase())
        .filter(Boolean),
    ),
  ]
  const unknown = formats.find((format) => !(EXPORT_FORMATS as readonly string[]).includes(format))
  if (unknown !== undefined)
    throw new CommandFailure(
      EXIT.usage,
      `There is no export format "${unknown}".`,
      `Formats: ${EXPORT_FORMATS.join(', ')}.`,
    )
  return formats
}
