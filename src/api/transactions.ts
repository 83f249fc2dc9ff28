import { SheafError } from '../core/index.ts'
import type { Database, Transaction, UserContext } from '../database/index.ts'
import { lockBatch } from '../queue/index.ts'
import type { WantedVersions } from './etag.ts'

/**
 * The same database, but what works as the user joins the transaction: so a step that opens its own becomes one with
 * an If-Match or an Idempotency-Key.
 */
export function within(tx: Transaction, database: Database): Database {
  return { ...database, asUser: (_context, work) => work(tx) }
}

/** Runs a change of a batch if it still has one of the wanted versions: both in one transaction, under its lock. */
export function changeBatch<T>(
  database: Database,
  context: UserContext,
  batch: { id: string; wanted: WantedVersions | null },
  change: (database: Database, tx: Transaction) => Promise<T>,
): Promise<T> {
  return database.asUser(context, async (tx) => {
    if (batch.wanted !== null) {
      const { version } = await lockBatch(tx, context.workspaceId, batch.id)
      if (batch.wanted !== 'any' && !batch.wanted.includes(version)) throw new SheafError('stale_etag')
    }
    return change(within(tx, database), tx)
  })
}
