import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'

/** Answers are kept for a day, as clients are told. */
const KEPT_HOURS = 24

export interface KeptAnswer {
  requestHash: string
  status: number
  response: unknown
}

/**
 * Takes an idempotency key for the transaction that does the work. Whoever comes second waits here until that
 * transaction has ended; then gets its answer, or the key itself when it was rolled back (null).
 */
export async function takeIdempotencyKey(
  tx: Transaction,
  workspaceId: string,
  key: string,
  requestHash: string,
): Promise<KeptAnswer | null> {
  await tx.execute(sql`
    delete from idempotency_keys where (workspace_id, key) in (
      select workspace_id, key from idempotency_keys where workspace_id = ${workspaceId} and created_at < now() - make_interval(hours => ${KEPT_HOURS})
      limit 100 for update skip locked)`)
  const { rowCount } = await tx.execute(sql`
    insert into idempotency_keys (workspace_id, key, request_hash) values (${workspaceId}, ${key}, ${requestHash}) on conflict do nothing`)
  if (rowCount === 1) return null
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select request_hash as "requestHash", status, response from idempotency_keys where workspace_id = ${workspaceId} and key = ${key}`)
  return rows[0] as unknown as KeptAnswer
}

/** Keeps the answer beside the key, in the transaction that took it. */
export async function keepAnswer(
  tx: Transaction,
  workspaceId: string,
  key: string,
  answer: { status: number; response: unknown },
): Promise<void> {
  await tx.execute(sql`
    update idempotency_keys set status = ${answer.status}, response = ${JSON.stringify(answer.response)}::jsonb
    where workspace_id = ${workspaceId} and key = ${key}`)
}
