import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text as readText } from 'node:stream/consumers'
import { hasEnded, readBatch, type Batch } from '../client/batches.ts'
import { isNotFound, type Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import { readNote, writeNote } from './note.ts'

/** The pipeline of the command line: a preset name, JSON, a file that holds JSON, or `-` for stdin. */
export async function readPipeline(given: string | undefined, locate: (path: string) => string): Promise<unknown> {
  if (given === undefined) return undefined
  const { PRESETS, pipelineSchema } = await import('../../core/index.ts')
  if ((PRESETS as readonly string[]).includes(given)) return given
  const json = given.trimStart().startsWith('{')
    ? given
    : given === '-'
      ? await readText(process.stdin)
      : await readPipelineFile(given, locate, PRESETS)
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new CommandFailure(
      EXIT.usage,
      `The pipeline is not valid JSON: ${(error as Error).message}.`,
      'Correct it.',
      error,
    )
  }
  const checked = pipelineSchema.safeParse(value)
  if (checked.success) return value
  const issue = checked.error.issues[0]!
  const place = issue.path.length > 0 ? ` at ${issue.path.join('.')}` : ''
  throw new CommandFailure(
    EXIT.usage,
    `The pipeline is not valid${place}: ${issue.message}.`,
    'See the reference of pipelines for its keys.',
  )
}

/** Passwords are options of reading. They are no part of what makes two calls the same: another one may be needed. */
export function withPasswords(pipeline: unknown, passwords: readonly string[]): unknown {
  if (passwords.length === 0) return pipeline
  const options =
    typeof pipeline === 'string' ? { preset: pipeline } : { ...(pipeline as Record<string, unknown> | undefined) }
  const read = (options as { read?: { passwords?: string[] } }).read
  return { ...options, read: { ...read, passwords: [...(read?.passwords ?? []), ...passwords] } }
}

async function readPipelineFile(
  given: string,
  locate: (path: string) => string,
  presets: readonly string[],
): Promise<string> {
  try {
    return await readFile(locate(given), 'utf8')
  } catch (error) {
    throw new CommandFailure(
      EXIT.usage,
      `--pipeline "${given}" is neither a preset nor a file.`,
      `Presets: ${presets.join(', ')}.`,
      error,
    )
  }
}

export interface WantedRun {
  out: string
  name: string
  pipeline: unknown
  /** Hash of the files and the pipeline. */
  input: string
}

/**
 * The batch of this command: the one an earlier call with the same name, output folder and input began, else a new
 * one. The idempotency key leads to the same batch also when the note in the output folder was lost.
 */
export async function findOrCreateBatch(
  connection: Connection,
  wanted: WantedRun,
): Promise<{ batch: Batch; isContinued: boolean }> {
  const note = await readNote(wanted.out)
  const known = note?.name === wanted.name ? note : null
  if (known?.input === wanted.input) {
    const batch = await readIfThere(connection, known.batchId)
    if (batch !== null && batch.status !== 'expired') return { batch, isContinued: true }
  }
  let previous = known?.batchId ?? null
  for (;;) {
    const created = await createBatch(connection, wanted, previous)
    const batch = await readIfThere(connection, created.id)
    if (batch !== null && !hasEnded(batch)) {
      await writeNote(wanted.out, { batchId: batch.id, name: wanted.name, input: wanted.input })
      return { batch, isContinued: batch.counters.total > 0 }
    }
    // the key led to a batch that is over, or deleted: the next key follows from it
    previous = created.id
  }
}

function createBatch(connection: Connection, wanted: WantedRun, previous: string | null): Promise<Batch> {
  const body = { name: wanted.name, ...(wanted.pipeline !== undefined && { pipeline: wanted.pipeline }) }
  const key = createHash('sha256')
    .update(JSON.stringify([wanted.out, body, wanted.input, previous]))
    .digest('hex')
  return connection.request<Batch>('POST', '/api/batches', { json: body, headers: { 'idempotency-key': key } })
}

async function readIfThere(connection: Connection, id: string): Promise<Batch | null> {
  try {
    return await readBatch(connection, id)
  } catch (error) {
    if (isNotFound(error)) return null
    throw error
  }
}
