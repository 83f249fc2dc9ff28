import { createInterface } from 'node:readline/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { batchPath, findBatch, type Batch } from '../client/batches.ts'
import { connect, type Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { writeWhole } from '../run/write-whole.ts'
import { count, printable, size } from '../terminal.ts'
import { untilInterrupted } from '../until-interrupted.ts'

export interface DeleteFlags {
  receipt?: string
  yes?: boolean
}

/** What was deleted; it outlives the batch. */
interface Deletion {
  batchId: string
  batchName: string
  requestedAt: string
  completedAt: string | null
  receipt: {
    rows: Record<string, number>
    left: Record<string, number>
    blobs: { sources: number; derived: number; bytes: number }
  } | null
}

const LOOK_MS = 50

/** `sheaf delete BATCH`: deletes it with everything derived from it, and waits for the receipt. */
export async function deleteBatch(invocation: Invocation, argument: string, flags: DeleteFlags): Promise<number> {
  const { terminal } = invocation
  const { callerPath } = await import('../../core/index.ts')
  const connection = await connect(invocation, { worker: 'inline', readers: 1 })
  const stop = new AbortController()
  return untilInterrupted(invocation, connection, stop, async () => {
    const batch = await findBatch(connection, argument)
    if (!flags.yes && !(await isConfirmed(batch))) throw new CommandFailure(EXIT.notAllowed, 'Nothing was deleted.')
    const { receiptUrl } = await connection.request<{ receiptUrl: string }>('DELETE', batchPath(batch.id), {
      headers: { 'if-match': await readTag(connection, batch.id) },
    })
    const deletion = await waitForReceipt(connection, receiptUrl, stop.signal)
    if (flags.receipt !== undefined)
      await writeWhole(callerPath(flags.receipt), [`${JSON.stringify(deletion, null, 2)}\n`])
    if (invocation.flags.json) terminal.printJson(deletion)
    else terminal.print(describe(deletion))
    return EXIT.ok
  })
}

/** Only a person at a keyboard is asked. */
async function isConfirmed(batch: Batch): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true
  const question = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await question.question(
      `Delete "${printable(batch.name)}" with ${count(batch.counters.total, 'document')} for good? [y/N] `,
    )
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    question.close()
  }
}

async function readTag(connection: Connection, batchId: string): Promise<string> {
  const { headers, body } = await connection.send({ method: 'GET', path: batchPath(batchId) })
  body.resume()
  return headers.etag ?? '*'
}

async function waitForReceipt(connection: Connection, receiptUrl: string, signal: AbortSignal): Promise<Deletion> {
  for (;;) {
    const deletion = await connection.request<Deletion>('GET', receiptUrl)
    if (deletion.completedAt !== null) return deletion
    await delay(LOOK_MS, undefined, { signal })
  }
}

function describe({ batchName, receipt }: Deletion): string {
  if (!receipt) return `${printable(batchName)} is deleted.`
  const { rows, blobs } = receipt
  return `${printable(batchName)} is deleted: ${count(rows['documents'] ?? 0, 'document')}, ${count(blobs.sources + blobs.derived, 'stored file')} (${size(blobs.bytes)}).`
}
