import { type Database, sql } from '../database/index.ts'

/** Whether nothing in any workspace runs, waits for a worker or waits for a retry; what is paused does not count. */
export async function isIdle(database: Database): Promise<boolean> {
  const { rows } = await database.asSystem('sweep', (tx) =>
    tx.execute<{ busy: boolean }>(sql`
    select exists (select from jobs where state in ('queued', 'running', 'retry_wait') and not held) as busy`),
  )
  return rows[0]!.busy === false
}
