import { sql, type SQL } from '../drizzle.ts'
import type { BatchStatus, Counters, Pipeline } from '../../core/index.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'
import { RUN_COUNTS } from './run-counts.ts'

/** A batch as it stands in one of its runs. Times are ISO 8601. */
export interface BatchRow {
  id: string
  workspaceId: string
  name: string
  description: string | null
  intake: 'open' | 'closed'
  /** Of the run that was asked for. */
  status: BatchStatus
  endedAs: 'completed' | 'partial' | 'failed' | 'cancelled' | null
  startPolicy: 'on_arrival' | 'on_close'
  /** 0 (low) to 3 (urgent). */
  priority: number
  run: number
  revision: number
  version: number
  pipeline: Pipeline
  counters: Counters
  /** One line in the words of rows R2, R4 and R5. */
  error: string | null
  summary: Record<string, unknown> | null
  createdBy: string | null
  times: Record<BatchTime, string | null>
  /** Place in the list of batches, exact to the microsecond. */
  listedAt: string
}

const TIMES = [
  'created',
  'updated',
  'opened',
  'queued',
  'started',
  'paused',
  'closed',
  'finalizing',
  'ended',
  'expires',
] as const
type BatchTime = (typeof TIMES)[number]

export interface BatchFilter {
  name?: string | undefined
  status?: BatchStatus | undefined
  intake?: 'open' | 'closed' | undefined
  /** The last batch of the page before. */
  after?: { listedAt: string; id: string } | undefined
  limit: number
}

/** A batch in its present run, or in an earlier one; null when there is no such batch or run. */
export async function readBatch(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  run?: number,
): Promise<BatchRow | null> {
  const isRun = run === undefined ? sql`r.number = b.run_number` : sql`r.number = ${run}`
  const rows = await selectBatches(tx, isRun, sql`b.workspace_id = ${workspaceId} and b.id = ${batchId}`, 1)
  return rows[0] ?? null
}

/** Batches of a workspace, the newest first. */
export function listBatches(tx: Transaction, workspaceId: string, filter: BatchFilter): Promise<BatchRow[]> {
  const conditions = [
    sql`b.workspace_id = ${workspaceId}`,
    ...(filter.name === undefined ? [] : [sql`b.name = ${filter.name}`]),
    ...(filter.status === undefined ? [] : [sql`b.status = ${filter.status}`]),
    ...(filter.intake === undefined ? [] : [sql`b.intake = ${filter.intake}`]),
    ...(filter.after
      ? [sql`(b.created_at, b.id) < (${filter.after.listedAt}::timestamptz, ${filter.after.id}::uuid)`]
      : []),
  ]
  return selectBatches(tx, sql`r.number = b.run_number`, sql.join(conditions, sql` and `), filter.limit)
}

async function selectBatches(tx: Transaction, isRun: SQL, condition: SQL, limit: number): Promise<BatchRow[]> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select b.*, run_status.*, r.number, r.revision, r.pipeline, r.summary, to_jsonb(c) as counters, b.created_at::text as listed_at,
      batch_error(coalesce(run_status.run_ended_as, run_status.run_status), c.failed + c."needsInput", c.total) as error
    from batches b
    join runs r on r.workspace_id = b.workspace_id and r.batch_id = b.id and ${isRun}
    cross join lateral (
      select case when r.number = b.run_number then b.status else coalesce(r.status, 'open') end as run_status,
        case when r.number = b.run_number then b.ended_as
          when r.status in ('completed', 'partial', 'failed', 'cancelled') then r.status end as run_ended_as,
        case when r.number = b.run_number then b.ended_at else r.ended_at end as run_ended_at
    ) run_status
    cross join lateral (${RUN_COUNTS}) c
    where ${condition} and b.deleted_at is null
    order by b.created_at desc, b.id desc limit ${limit}`)
  return rows.map(toBatchRow)
}

function toBatchRow(row: Record<string, unknown>): BatchRow {
  const time = (name: BatchTime) => isoTime(name === 'ended' ? row['run_ended_at'] : row[`${name}_at`])
  const revision = row['revision'] as number
  const summary = row['summary'] as Record<string, unknown> | null
  return {
    id: row['id'] as string,
    workspaceId: row['workspace_id'] as string,
    name: row['name'] as string,
    description: row['description'] as string | null,
    intake: row['intake'] as BatchRow['intake'],
    status: row['run_status'] as BatchStatus,
    endedAs: row['run_ended_as'] as BatchRow['endedAs'],
    startPolicy: row['start_policy'] as BatchRow['startPolicy'],
    priority: row['priority'] as number,
    run: row['number'] as number,
    revision,
    version: row['version'] as number,
    pipeline: row['pipeline'] as Pipeline,
    counters: row['counters'] as Counters,
    error: row['error'] as string | null,
    summary: summary && { ...summary, revision },
    createdBy: row['created_by'] as string | null,
    times: Object.fromEntries(TIMES.map((name) => [name, time(name)])) as BatchRow['times'],
    listedAt: row['listed_at'] as string,
  }
}
