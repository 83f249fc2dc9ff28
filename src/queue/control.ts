import { SheafError, type ErrorCategory } from '../core/index.ts'
import { type Database, sql, type SQL, type Transaction, type UserContext } from '../database/index.ts'
import { describeFailure } from './retry-policy.ts'
import { startTag, wakeWorkers } from './enqueue.ts'
import { appendEvent } from './events.ts'
import { settleBatch } from './settle.ts'

/** What a person does to a batch while it runs: each is one set operation and one guarded change of the batch. */

interface LockedBatch {
  status: string
  intake: string
  runNumber: number
  priority: number
  version: number
}

/** Locks the batch for a change; throws not_found, also for a batch of another workspace. */
export async function lockBatch(tx: Transaction, workspaceId: string, batchId: string): Promise<LockedBatch> {
  const { rows } = await tx.execute<Record<string, never>>(sql`
    select status, intake, run_number as "runNumber", priority, version from batches
    where workspace_id = ${workspaceId} and id = ${batchId} and deleted_at is null for no key update`)
  const batch = rows[0] as LockedBatch | undefined
  if (!batch) throw new SheafError('not_found')
  return batch
}

const UNFINISHED = sql`('received', 'queued', 'running', 'retry_wait')`

/** Nothing of the batch is leased any more; what runs ends. Pausing a paused batch changes nothing. */
export function pauseBatch(database: Database, context: UserContext, batchId: string): Promise<void> {
  return database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (batch.status === 'paused') return
    if (!['open', 'queued', 'processing'].includes(batch.status))
      throw new SheafError('state_conflict', `A batch that is ${batch.status} cannot be paused.`)
    await tx.execute(sql`
      update jobs set held = true where workspace_id = ${context.workspaceId} and batch_id = ${batchId} and run_number = ${batch.runNumber}
        and kind = 'document' and state in ('received', 'queued', 'retry_wait', 'running') and not held`)
    await changeStatus(tx, context.workspaceId, batchId, sql`status = 'paused', paused_at = now()`, 'paused')
  })
}

/** Lets a paused batch go on. Resuming a batch that is not paused changes nothing. */
export async function resumeBatch(database: Database, context: UserContext, batchId: string): Promise<void> {
  await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (batch.status !== 'paused') {
      if (['open', 'queued', 'processing'].includes(batch.status)) return
      throw new SheafError('state_conflict', `A batch that is ${batch.status} cannot be resumed.`)
    }
    await tx.execute(sql`
      update jobs set held = false where workspace_id = ${context.workspaceId} and batch_id = ${batchId} and run_number = ${batch.runNumber} and kind = 'document' and held`)
    await changeStatus(tx, context.workspaceId, batchId, sql`status = 'queued', queued_at = now()`, 'queued')
    await wakeWorkers(tx)
  })
  await settleBatch(database, context.workspaceId, batchId)
}

/** Ends everything that has not ended; running reader children are killed by their workers. Returns the documents cancelled. */
export async function cancelBatch(database: Database, context: UserContext, batchId: string): Promise<number> {
  const cancelled = await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (['cancelling', 'cancelled', 'finalizing'].includes(batch.status)) return 0
    if (!['open', 'queued', 'processing', 'paused'].includes(batch.status))
      throw new SheafError('state_conflict', `A batch that is ${batch.status} cannot be cancelled.`)
    const count = await cancelDocuments(tx, context.workspaceId, batchId, batch.runNumber)
    await changeStatus(
      tx,
      context.workspaceId,
      batchId,
      sql`status = 'cancelling', intake = 'closed', closed_at = coalesce(closed_at, now()), cancelling_at = now()`,
      'cancelling',
    )
    return count
  })
  await settleBatch(database, context.workspaceId, batchId)
  return cancelled
}

/** Sets every unfinished document of the run to cancelled; the fence makes what still runs of no effect. */
export async function cancelDocuments(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  runNumber: number,
): Promise<number> {
  const error = describeFailure({ code: 'cancelled', stage: 'admit' }, 0, new Date())
  const { rows } = await tx.execute<{ count: number }>(sql`
    with stopped as (
      update jobs set state = 'cancelled', error = ${JSON.stringify(error)}::jsonb || jsonb_build_object('attempt', attempt, 'stage', coalesce(stage, 'admit')),
        error_code = 'cancelled', error_category = 'cancelled', leased_by = null, leased_until = null, next_attempt_at = null, waiting_for = null,
        held = false, ended_at = now(), secret = null
      where workspace_id = ${workspaceId} and batch_id = ${batchId} and run_number = ${runNumber} and kind = 'document' and state in ${UNFINISHED}
      returning 1)
    select count(*)::integer as count from stopped`)
  await tx.execute(sql`select pg_notify('sheaf_cancel', ${batchId})`)
  return rows[0]!.count
}

async function changeStatus(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  change: SQL,
  status: string,
): Promise<void> {
  await tx.execute(sql`
    update batches set ${change}, updated_at = now(), version = version + 1 where workspace_id = ${workspaceId} and id = ${batchId}`)
  await appendEvent(tx, { workspaceId, batchId, type: 'batch.updated', data: { status } })
}

/** Which documents a retry takes. Without any condition: those that failed, were cancelled or are partial. */
export interface RetryRequest {
  where?:
    | {
        state?: string | undefined
        category?: ErrorCategory | undefined
        code?: string | undefined
        path?: string | undefined
        mediaType?: string | undefined
      }
    | undefined
  documents?: string[] | undefined
  /** Multiplies the time limits of these documents. */
  timeoutFactor?: number | undefined
  dryRun?: boolean | undefined
  /** Kept with the job until its next attempt ends, never part of an answer. */
  secret?: string | undefined
}

/** Takes the documents back into the queue as a new generation with a fresh budget; their history stays. */
export async function retryDocuments(
  database: Database,
  context: UserContext,
  batchId: string,
  request: RetryRequest,
): Promise<{ matched: number; retried: number }> {
  return database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (['cancelling', 'expired'].includes(batch.status))
      throw new SheafError('state_conflict', `A batch that is ${batch.status} cannot be retried.`)
    const matching = matchingJobs(context.workspaceId, batchId, batch.runNumber, request)
    if (request.dryRun) {
      const { rows } = await tx.execute<{ count: number }>(
        sql`select count(*)::integer as count from jobs j join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id where ${matching}`,
      )
      return { matched: rows[0]!.count, retried: 0 }
    }
    const retried = await requeue(tx, { workspaceId: context.workspaceId, batchId, batch, matching, request })
    if (retried > 0) await reopenRun(tx, context.workspaceId, batchId, batch)
    return { matched: retried, retried }
  })
}

function matchingJobs(workspaceId: string, batchId: string, runNumber: number, request: RetryRequest): SQL {
  const where = request.where ?? {}
  const any = Object.values(where).some((value) => value !== undefined) || request.documents
  const conditions = [
    sql`j.workspace_id = ${workspaceId} and j.batch_id = ${batchId} and j.run_number = ${runNumber} and j.kind = 'document'`,
    // what was refused at the door or repeats another file has nothing to be read again
    sql`j.state in ('succeeded', 'partial', 'failed', 'cancelled', 'needs_input') and coalesce(j.error_category, '') <> 'rejected'`,
    ...(any ? [] : [sql`j.state in ('failed', 'cancelled', 'partial')`]),
    ...(where.state ? [sql`j.state = ${where.state}`] : []),
    ...(where.category ? [sql`j.error_category = ${where.category}`] : []),
    ...(where.code ? [sql`j.error_code = ${where.code}`] : []),
    ...(where.path ? [sql`(d.path = ${where.path} or starts_with(d.path, ${where.path} || '/'))`] : []),
    ...(where.mediaType ? [sql`d.media_type = ${where.mediaType}`] : []),
    ...(request.documents ? [sql`j.document_id = any(${sql.param(request.documents)}::uuid[])`] : []),
  ]
  return sql.join(conditions, sql` and `)
}

interface Requeue {
  workspaceId: string
  batchId: string
  batch: LockedBatch
  matching: SQL
  request: RetryRequest
}

async function requeue(tx: Transaction, { workspaceId, batchId, batch, matching, request }: Requeue): Promise<number> {
  const tag = await startTag(tx, workspaceId, batchId, batch.priority)
  const { rows } = await tx.execute<{ count: number }>(sql`
    with chosen as (
      select j.id, j.attempt, j.generation, j.stage, j.attempt_started_at, j.ended_at, j.state, j.error, row_number() over (order by d.position) as n
      from jobs j join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id where ${matching}
    ), history as (
      insert into attempts (workspace_id, job_id, number, generation, stage, started_at, ended_at, outcome, error)
      select ${workspaceId}::uuid, id, attempt, generation, stage, attempt_started_at, coalesce(ended_at, now()), state, error from chosen where attempt > 0
      on conflict do nothing
    ), retried as (
      update jobs j set state = 'queued', generation = j.generation + 1, attempts_used = 0, child_deaths = 0, quarantined = false, held = ${batch.status === 'paused'},
        error = null, error_code = null, error_category = null, next_attempt_at = null, waiting_for = null, ended_at = null, failed_pages = 0,
        limit_factor = ${request.timeoutFactor ?? 1}, secret = ${request.secret ?? null}, vt = ${tag.vt}::float8 + ${tag.step}::float8 * c.n, queued_at = now()
      from chosen c where j.workspace_id = ${workspaceId} and j.id = c.id and j.state = c.state
      returning 1)
    select count(*)::integer as count from retried`)
  return rows[0]!.count
}

/** Any state a batch may be in → queued (a paused one stays paused). */
async function reopenRun(tx: Transaction, workspaceId: string, batchId: string, batch: LockedBatch): Promise<void> {
  await tx.execute(
    sql`update runs set status = null, ended_at = null where workspace_id = ${workspaceId} and batch_id = ${batchId} and number = ${batch.runNumber}`,
  )
  if (batch.status !== 'paused') {
    const next = batch.status === 'processing' ? sql`status = 'processing'` : sql`status = 'queued', queued_at = now()`
    await changeStatus(tx, workspaceId, batchId, sql`${next}, ended_as = null, ended_at = null`, 'queued')
  }
  await wakeWorkers(tx)
}
