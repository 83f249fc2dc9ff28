import type { Connection } from '../connect.ts'
import { followBatch, type FollowOptions } from '../run/follow.ts'
import { batchPath, listAll, type Batch, type ListedDocument } from './batches.ts'

/**
 * Gives passwords to the documents of an ended batch that wait for one, one password after the other as long as some
 * still wait. Yields the batch as it stands at its new end.
 */
export async function unlockDocuments(
  connection: Connection,
  batch: Batch,
  passwords: readonly string[],
  options: FollowOptions,
): Promise<Batch> {
  let ended = batch
  for (const password of passwords) {
    if (ended.counters.needsInput === 0) break
    await givePassword(connection, ended.id, password)
    ended = await followBatch(connection, ended.id, options)
  }
  return ended
}

/** Lets every document that waits for a password be read again with this one; returns how many. */
export async function givePassword(connection: Connection, batchId: string, password: string): Promise<number> {
  const waiting: string[] = []
  for await (const page of listAll<ListedDocument>(connection, batchPath(batchId, '/documents'), {
    state: 'needs_input',
  }))
    waiting.push(...page.map(({ id }) => id))
  for (const id of waiting) await connection.request('POST', `/api/documents/${id}/password`, { json: { password } })
  return waiting.length
}
