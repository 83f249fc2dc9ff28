import { batchPath, findBatch, readBatch, type Batch } from '../client/batches.ts'
import { givePassword, unlockDocuments } from '../client/unlock.ts'
import { connect, type Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { followBatch } from '../run/follow.ts'
import { count, needPassword, printable } from '../terminal.ts'
import { untilInterrupted } from '../until-interrupted.ts'

export type Control = 'cancel' | 'pause' | 'resume'

/** What an own server without a worker leaves undone. */
const NOBODY_WORKS = 'Nothing works on it until a server runs (sheaf serve).'

/** `sheaf cancel|pause|resume BATCH`. */
export async function controlBatch(invocation: Invocation, control: Control, argument: string): Promise<number> {
  const { terminal, flags } = invocation
  const connection = await connect(invocation, { worker: 'none' })
  try {
    const { id } = await findBatch(connection, argument)
    await connection.request('POST', batchPath(id, `/${control}`))
    const batch = await readBatch(connection, id)
    if (flags.json) terminal.printJson(batch)
    else terminal.print(`${printable(batch.name)} is ${batch.status}.`)
    if (connection.isOwn && control === 'resume') terminal.say(NOBODY_WORKS)
    return EXIT.ok
  } finally {
    await connection.close()
  }
}

export interface RetryFlags {
  where: string[]
  document: string[]
  timeoutFactor?: number
  dryRun?: boolean
  password: string[]
  wait?: boolean
  workers?: number
}

/** `sheaf retry BATCH`: what failed, or what the filter names, is read again. */
export async function retryBatch(invocation: Invocation, argument: string, flags: RetryFlags): Promise<number> {
  const where = readFilter(flags.where)
  const connection = await connect(invocation, { worker: flags.wait ? 'inline' : 'none', readers: flags.workers })
  const stop = new AbortController()
  return untilInterrupted(invocation, connection, stop, async () => {
    const batch = await findBatch(connection, argument)
    const counts =
      flags.password.length > 0
        ? await retryWithPasswords(connection, batch, flags, { terminal: invocation.terminal, signal: stop.signal })
        : await connection.request<{ matched: number; retried: number }>('POST', batchPath(batch.id, '/retry'), {
            json: {
              ...(where && { where }),
              ...(flags.document.length > 0 && { documents: flags.document }),
              ...(flags.timeoutFactor !== undefined && { timeoutFactor: flags.timeoutFactor }),
              ...(flags.dryRun && { dryRun: true }),
            },
          })
    const ended =
      flags.wait && !flags.dryRun
        ? await followBatch(connection, batch.id, { terminal: invocation.terminal, signal: stop.signal })
        : null
    report(invocation, counts, { batch: ended, isDry: flags.dryRun ?? false })
    if (!ended && counts.retried > 0 && connection.isOwn)
      invocation.terminal.say(`${NOBODY_WORKS} Or retry with --wait.`)
    return ended && ended.counters.failed + ended.counters.needsInput > 0 ? EXIT.someFailed : EXIT.ok
  })
}

const FILTER_KEYS = ['state', 'category', 'code', 'path', 'mediaType']

function readFilter(conditions: readonly string[]): Record<string, string> | null {
  if (conditions.length === 0) return null
  return Object.fromEntries(
    conditions.map((condition) => {
      const [, key, value] = /^([A-Za-z]+)=(.+)$/s.exec(condition) ?? []
      if (key !== undefined && FILTER_KEYS.includes(key)) return [key, value!]
      throw new CommandFailure(
        EXIT.usage,
        `--where "${condition}" is no condition.`,
        `Write key=value with one of ${FILTER_KEYS.join(', ')}, such as --where category=timeout.`,
      )
    }),
  )
}

/** Several passwords are tried one after the other, which needs the end of each try. */
async function retryWithPasswords(
  connection: Connection,
  batch: Batch,
  flags: RetryFlags,
  options: Parameters<typeof unlockDocuments>[3],
): Promise<{ matched: number; retried: number }> {
  const matched = batch.counters.needsInput
  if (flags.dryRun) return { matched, retried: 0 }
  const [first, ...others] = flags.password
  if (others.length > 0 && !flags.wait)
    throw new CommandFailure(EXIT.usage, 'Several passwords are tried one after the other.', 'Add --wait.')
  const retried = await givePassword(connection, batch.id, first!)
  if (others.length > 0)
    await unlockDocuments(connection, await followBatch(connection, batch.id, options), others, options)
  return { matched, retried }
}

function report(
  { terminal, flags }: Invocation,
  counts: { matched: number; retried: number },
  { batch, isDry }: { batch: Batch | null; isDry: boolean },
): void {
  if (flags.json) return terminal.printJson({ ...counts, ...(batch && { batch }) })
  if (isDry) return terminal.print(`${count(counts.matched, 'document')} would be tried again.`)
  terminal.print(`${count(counts.retried, 'document')} ${counts.retried === 1 ? 'is' : 'are'} tried again.`)
  if (!batch) return
  const {
    counters: { succeeded, partial, failed, needsInput },
  } = batch
  terminal.print(
    `${printable(batch.name)} ${batch.status}: ${succeeded + partial} read, ${failed} failed${needsInput > 0 ? `, ${needPassword(needsInput)}` : ''}.`,
  )
}
