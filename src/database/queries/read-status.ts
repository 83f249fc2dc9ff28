import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'

const TIMES = ['batch_created_at', 'latest_error_at', 'batch_started_at', 'batch_completed_at']

/** The row of the view batch_processing_status (R4): its 19 columns in their order and names, times as ISO 8601. */
export async function readStatus(tx: Transaction, batchId: string): Promise<Record<string, unknown> | null> {
  const { rows } = await tx.execute<Record<string, unknown>>(
    sql`select * from batch_processing_status where batch_id = ${batchId}`,
  )
  if (!rows[0]) return null
  return Object.fromEntries(
    Object.entries(rows[0]).map(([name, value]) => [name, TIMES.includes(name) ? isoTime(value) : value]),
  )
}
