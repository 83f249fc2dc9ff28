import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'

export interface MetricsRow {
  batches: { status: string; count: number }[]
  documents: { state: string; count: number }[]
  demand: { class: string; waiting: number; oldestSeconds: number; slotsWanted: number }[]
}

/** Figures over all workspaces for monitoring; runs as the system, and holds no name or id. */
export async function readMetrics(tx: Transaction): Promise<MetricsRow> {
  const batches = await tx.execute<MetricsRow['batches'][number]>(sql`
    select status, count(*) as count from batches where deleted_at is null group by status`)
  const documents = await tx.execute<MetricsRow['documents'][number]>(sql`
    select c.state, sum(c.documents)::bigint as count
    from (
      select workspace_id, batch_id, run_number, state, documents from batch_tallies
      union all
      select workspace_id, batch_id, run_number, state, documents from batch_deltas
    ) c
    join batches b on b.workspace_id = c.workspace_id and b.id = c.batch_id and b.run_number = c.run_number and b.deleted_at is null
    group by c.state`)
  const demand = await tx.execute<MetricsRow['demand'][number]>(sql`
    select class, waiting, oldest_seconds as "oldestSeconds", slots_wanted as "slotsWanted" from worker_demand`)
  return { batches: batches.rows, documents: documents.rows, demand: demand.rows }
}
