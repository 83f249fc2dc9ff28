import { mkdir } from 'node:fs/promises'
import { basename } from 'node:path'
import { batchPath, hasEnded, type Batch } from '../client/batches.ts'
import { unlockDocuments } from '../client/unlock.ts'
import { uploadFiles } from '../client/upload.ts'
import { connect, readSettings, type Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { dryRun, printDryRun } from '../run/dry-run.ts'
import { followBatch } from '../run/follow.ts'
import { describeInput } from '../run/note.ts'
import { printOutcome, type Outcome } from '../run/outcome.ts'
import { readFormats, writeOutputs } from '../run/outputs.ts'
import { findOrCreateBatch, readPipeline, withPasswords } from '../run/prepare.ts'
import { walkInputs, type Unreadable, type Walk } from '../run/walk.ts'
import { count, duration, needPassword, printable } from '../terminal.ts'
import { untilInterrupted } from '../until-interrupted.ts'

export interface RunFlags {
  out?: string
  name?: string
  pipeline?: string
  export?: string
  dryRun?: boolean
  workers?: number
  password: string[]
}

interface Job {
  out: string
  name: string
  pipeline: unknown
  formats: string[]
  walk: Walk
  flags: RunFlags
  signal: AbortSignal
}

/** Characters of a batch's name, as the API takes them. */
const LONGEST_NAME = 200

/** `sheaf run`: the whole job, from the files to the results. */
export async function runBatch(invocation: Invocation, inputs: readonly string[], flags: RunFlags): Promise<number> {
  const { callerPath } = await import('../../core/index.ts')
  const paths = inputs.map((input) => callerPath(input))
  const { dataDir } = await readSettings(invocation)
  if (flags.dryRun)
    return showDryRun(
      invocation,
      await walkInputs(paths, [dataDir, ...(flags.out === undefined ? [] : [callerPath(flags.out)])]),
    )
  if (flags.out === undefined)
    throw new CommandFailure(EXIT.usage, 'Where the results go is not given.', 'Name a folder with --out.')
  const out = callerPath(flags.out)
  const formats = await readFormats(flags.export)
  const pipeline = await readPipeline(flags.pipeline, callerPath)
  const walk = await walkInputs(paths, [out, dataDir])
  await mkdir(out, { recursive: true })
  const name = flags.name ?? (basename(paths[0]!).slice(0, LONGEST_NAME) || 'documents')
  const connection = await connect(invocation, { worker: 'inline', readers: flags.workers })
  const stop = new AbortController()
  const job: Job = { out, name, pipeline, formats, walk, flags, signal: stop.signal }
  return untilInterrupted(invocation, connection, stop, () => perform(invocation, connection, job))
}

async function showDryRun({ terminal, flags }: Invocation, walk: Walk): Promise<number> {
  const result = await dryRun(walk)
  if (flags.json) terminal.printJson(result)
  else printDryRun(terminal, result)
  return result.unreadable.length > 0 ? EXIT.someFailed : EXIT.ok
}

async function perform(invocation: Invocation, connection: Connection, job: Job): Promise<number> {
  const { terminal } = invocation
  const began = performance.now()
  const { batch, isContinued } = await findOrCreateBatch(connection, {
    out: job.out,
    name: job.name,
    pipeline: withPasswords(job.pipeline, job.flags.password),
    input: describeInput(job.walk.files, job.pipeline),
  })
  if (isContinued)
    terminal.say(
      `${hasEnded(batch) ? 'Writing the files again of' : 'Continuing'} the batch "${printable(batch.name)}" (${batch.id}).`,
    )
  const unreadable = [...job.walk.unreadable]
  let sent = 0
  const follow = (): Promise<Batch> =>
    followBatch(connection, batch.id, {
      terminal,
      sending: () => ({ sent, files: job.walk.files.length }),
      signal: job.signal,
    })
  const watching = terminal.isWatched ? follow() : null
  watching?.catch(() => {}) // it is awaited below, unless sending fails first
  if (batch.intake === 'open')
    unreadable.push(
      ...(await sendFiles(connection, batch, job, (files) => {
        sent = files
      })),
    )
  sent = job.walk.files.length
  let ended = await (watching ?? follow())
  // new passwords of a later call; those of the first call are part of the pipeline
  if (isContinued)
    ended = await unlockDocuments(connection, ended, job.flags.password, { terminal, signal: job.signal })
  const { outcome, files } = await writeOutputs(connection, ended, job.out, job.formats)
  const seconds = (performance.now() - began) / 1000
  const report = { batch: ended, ...outcome, unreadable, out: job.out, files, seconds }
  if (invocation.flags.json) {
    const {
      batch: { id, name, status, counters },
      ...rest
    } = report
    terminal.printJson({ id, name, status, counters, ...rest })
  } else printReport(invocation, report)
  const isGood = ended.counters.failed + ended.counters.needsInput + ended.counters.cancelled + unreadable.length === 0
  return isGood ? EXIT.ok : EXIT.someFailed
}

/** Sends the files while the first of them are read already, then closes the intake. */
async function sendFiles(
  connection: Connection,
  batch: Batch,
  job: Job,
  sent: (files: number) => void,
): Promise<Unreadable[]> {
  const unreadable = await uploadFiles(connection, batch.id, job.walk.files, {
    sent,
    isStopped: () => job.signal.aborted,
  })
  if (!job.signal.aborted) await connection.request('POST', batchPath(batch.id, '/close'))
  return unreadable
}

interface Report extends Outcome {
  batch: Batch
  unreadable: Unreadable[]
  out: string
  files: string[]
  seconds: number
}

function printReport({ terminal }: Invocation, report: Report): void {
  const {
    batch: { id, name, status, counters },
    seconds,
  } = report
  const good = counters.succeeded + counters.partial
  const rest = [
    counters.partial > 0 && `${counters.partial} of them in part`,
    counters.skipped > 0 && `${counters.skipped} skipped as repetitions`,
    counters.failed > 0 && `${counters.failed} failed`,
    counters.needsInput > 0 && needPassword(counters.needsInput),
    counters.cancelled > 0 && `${counters.cancelled} cancelled`,
  ].filter((part) => part !== false)
  terminal.print(
    `${terminal.style('bold', printable(name))} ${status}: ${[`${good.toLocaleString('en-US')} of ${count(counters.total, 'document')} read`, ...rest].join(', ')} (${duration(seconds)}).`,
  )
  printOutcome(terminal, report)
  if (report.unreadable.length > 0) {
    terminal.print(terminal.style('red', `${count(report.unreadable.length, 'file')} could not be read from disk:`))
    for (const { label, reason } of report.unreadable.slice(0, 3)) terminal.print(`  ${printable(label)} (${reason})`)
  }
  terminal.print(`Results: ${printable(report.out)} (${report.files.join(', ')})`)
  if (counters.needsInput > 0) terminal.say(`Give a password: sheaf retry ${id} --password … --wait`)
  else if (counters.failed > 0) terminal.say(`Try the failed ones again: sheaf retry ${id} --wait`)
}
