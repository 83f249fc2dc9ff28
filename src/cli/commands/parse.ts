import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ERRORS, toSheafError, type DocumentError } from '../../core/index.ts'
import { describeFailure, type Failure } from '../../queue/index.ts'
import { openReaderPool, readFileWith, type FileReading, type ReaderPool } from '../../worker/index.ts'
import { readSettings } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { outputPaths } from '../parse/output-path.ts'
import { PARSE_FORMATS, writeReading, type ParseFormat } from '../parse/write-reading.ts'
import { hashFile } from '../run/dry-run.ts'
import { collectOutcome, printOutcome } from '../run/outcome.ts'
import { walkInputs, type Walk } from '../run/walk.ts'
import { writeWhole } from '../run/write-whole.ts'
import { count, duration, printable } from '../terminal.ts'

export interface ParseFlags {
  out?: string
  format: ParseFormat
  furniture: 'drop' | 'keep'
  workers?: number
  password: string[]
}

/** A file, or a member of an archive, on its way. `place` is its position in the input. */
interface Item {
  path: string
  file: string | Buffer
  depth: number
  place: number[]
  isTemporary: boolean
}

interface Session {
  flags: ParseFlags
  readers: ReaderPool
  temporary: string
  nextNumber(): number
  outputOf(path: string): string
  folders: Set<string>
  signal: AbortSignal
  finish(item: Pick<Item, 'path' | 'place'>, error: DocumentError | null): void
}

/** More files are under way than readers, so that no reader waits for a file to be written. */
const AHEAD = 2

/** `sheaf parse`: reads files into text; nothing is stored, no server is asked. */
export async function parseFiles(
  invocation: Invocation,
  inputs: readonly string[],
  flags: ParseFlags,
): Promise<number> {
  const { callerPath } = await import('../../core/index.ts')
  if (flags.out === undefined)
    throw new CommandFailure(EXIT.usage, 'Where the texts go is not given.', 'Name a folder with --out.')
  const out = callerPath(flags.out)
  const config = await readSettings(invocation)
  const size = flags.workers ?? config.workers ?? availableParallelism()
  const walk = await walkInputs(
    inputs.map((input) => callerPath(input)),
    [out],
  )
  await mkdir(out, { recursive: true })
  const temporary = await mkdtemp(join(tmpdir(), 'sheaf-parse-'))
  const readers = openReaderPool(size, join(temporary, 'readers'), config.failpoint)
  const stop = new AbortController()
  const interrupted = new Promise<void>((resolve) => invocation.interruption.handle(() => resolve()))
  try {
    const work = parseAll(invocation, walk, { flags, out, readers, temporary, signal: stop.signal })
    const end = await Promise.race([work, interrupted])
    if (end !== undefined) return end
    work.catch(() => {})
    invocation.terminal.say('Stopped. What has been read is there; the same command begins anew.')
    return EXIT.interrupted
  } finally {
    stop.abort()
    await readers.close()
    await rm(temporary, { recursive: true, force: true })
  }
}

type ParseJob = Pick<Session, 'flags' | 'readers' | 'temporary' | 'signal'> & { out: string }

async function parseAll(invocation: Invocation, walk: Walk, job: ParseJob): Promise<number> {
  const began = performance.now()
  const failures: { place: number[]; path: string; error: DocumentError }[] = []
  let done = 0
  let number = 0
  const session: Session = {
    ...job,
    nextNumber: () => ++number,
    outputOf: outputPaths(job.out, PARSE_FORMATS[job.flags.format]),
    folders: new Set(),
    finish: ({ path, place }, error) => {
      done++
      if (error) failures.push({ place, path, error })
      invocation.terminal.progress(
        `${done.toLocaleString('en-US')} of ${Math.max(done, walk.files.length).toLocaleString('en-US')} read${failures.length > 0 ? ` · ${failures.length} failed` : ''}`,
      )
    },
  }
  for (const { label, reason } of walk.unreadable)
    session.finish({ path: label, place: [Infinity] }, unreadableError(reason))
  const waiting = walk.files.entries()
  await Promise.all(
    Array.from({ length: job.readers.size + AHEAD }, async () => {
      for (const [index, { label, file }] of waiting)
        await parseItem(session, { path: label, file, depth: 0, place: [index], isTemporary: false })
    }),
  )
  failures.sort((a, b) => comparePlaces(a.place, b.place))
  await writeErrors(join(job.out, 'errors.jsonl'), failures)
  report(invocation, { done, failures, out: job.out, seconds: (performance.now() - began) / 1000 })
  return failures.length > 0 ? EXIT.someFailed : EXIT.ok
}

/** Reads one file; an archive is opened and its members are read. */
async function parseItem(session: Session, item: Item): Promise<void> {
  try {
    const reading = await readItem(session, item)
    if (reading.outcome === 'failed') return session.finish(item, describeFailure(reading.failure, 1, new Date()))
    if (reading.outcome === 'read') {
      await writeItem(session, item, reading)
      return session.finish(item, null)
    }
    await Promise.all(
      reading.members.map(async (member, index) => {
        const place = [...item.place, index]
        if ('failure' in member)
          return session.finish({ path: member.path, place }, describeFailure(member.failure, 1, new Date()))
        return parseItem(session, {
          path: member.path,
          file: member.file,
          depth: item.depth + 1,
          place,
          isTemporary: true,
        })
      }),
    )
  } catch (error) {
    if (session.signal.aborted) return
    const { code, detail } = fileError(error)
    session.finish(
      item,
      describeFailure({ code, stage: 'admit', ...(detail !== undefined && { detail }) }, 1, new Date()),
    )
  } finally {
    if (item.isTemporary) await rm(item.file, { force: true })
  }
}

/** A reader that died takes nothing with it: the file gets a second one. */
async function readItem(session: Session, item: Item): Promise<FileReading> {
  if ((await stat(item.file)).size === 0) return { outcome: 'failed', failure: { code: 'empty_file', stage: 'admit' } }
  const sha256 = await hashFile(item.file)
  const once = (): Promise<FileReading> =>
    session.readers.lend(session.signal, (reader) =>
      readFileWith(
        reader,
        {
          number: session.nextNumber(),
          file: item.file,
          sha256,
          path: item.path,
          passwords: session.flags.password,
          depth: item.depth,
          keepIn: session.temporary,
        },
        session.signal,
      ),
    )
  const first = await once()
  return first.outcome === 'failed' &&
    first.failure.childDied &&
    ERRORS[first.failure.code].retries > 0 &&
    !session.signal.aborted
    ? once()
    : first
}

async function writeItem(
  session: Session,
  item: Item,
  { reading, issues }: Extract<FileReading, { outcome: 'read' }>,
): Promise<void> {
  const file = session.outputOf(item.path)
  const folder = dirname(file)
  if (!session.folders.has(folder)) await mkdir(folder, { recursive: true })
  session.folders.add(folder)
  await writeReading(reading, issues, file, session.flags)
  await rm(reading, { force: true })
}

/** A file that went away or may not be read; the storage codes of Sheaf speak of its own store. */
function fileError(error: unknown): Pick<Failure, 'code' | 'detail'> {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') throw error
  const known = toSheafError(error)
  return { code: known.code, detail: code ?? message }
}

function unreadableError(reason: string): DocumentError {
  return describeFailure({ code: 'internal', stage: 'admit', detail: reason }, 1, new Date())
}

/** errors.jsonl tells of this call: one of an earlier call does not stay. */
async function writeErrors(file: string, failures: readonly { path: string; error: DocumentError }[]): Promise<void> {
  if (failures.length === 0) return rm(file, { force: true })
  await writeWhole(
    file,
    failures.map(({ path, error }) => `${JSON.stringify({ path, error })}\n`),
  )
}

function comparePlaces(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((number, at) => number !== b[at])
  if (index === -1) return a.length - b.length
  return a[index]! - (b[index] ?? -1)
}

function report(
  invocation: Invocation,
  result: { done: number; failures: { path: string; error: DocumentError }[]; out: string; seconds: number },
): void {
  const { terminal, flags } = invocation
  const { add, outcome } = collectOutcome()
  for (const { path, error } of result.failures)
    add({ path, state: error.category === 'encrypted' ? 'needs_input' : 'failed', error })
  const read = result.done - result.failures.length
  terminal.clearProgress()
  if (flags.json)
    return terminal.printJson({
      documents: result.done,
      read,
      failed: result.failures.length,
      ...outcome(),
      out: result.out,
      seconds: result.seconds,
    })
  terminal.print(
    `${read.toLocaleString('en-US')} of ${count(result.done, 'document')} read (${duration(result.seconds)}): ${printable(result.out)}`,
  )
  printOutcome(terminal, outcome())
  if (result.failures.length > 0) terminal.say(`Reasons of each: ${join(result.out, 'errors.jsonl')}`)
}
