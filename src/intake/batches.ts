import { newId, SheafError, type Pipeline } from '../core/index.ts'
import { batches, type Database, runs, sql, type Transaction, type UserContext } from '../database/index.ts'
import { appendEvent, cancelDocuments, enqueueService, lockBatch, settleLocked, wakeWorkers } from '../queue/index.ts'
import type { Plan } from './plan.ts'

export const PRIORITIES = ['low', 'normal', 'high', 'urgent'] as const
export type Priority = (typeof PRIORITIES)[number]

export interface NewBatch {
  name: string
  description?: string | null | undefined
  pipeline: Pipeline
  passwords?: string[] | undefined
  startPolicy?: 'on_arrival' | 'on_close' | undefined
  priority?: Priority | undefined
}

/** Creates an open batch with its first run; returns its id. Throws plan_limit. */
export async function createBatch(tx: Transaction, context: UserContext, batch: NewBatch, plan: Plan): Promise<string> {
  await checkBatchCount(tx, context, plan)
  const id = newId()
  const { workspaceId, userId: createdBy } = context
  await tx.insert(batches).values({
    workspaceId,
    id,
    createdBy,
    name: batch.name,
    description: batch.description ?? null,
    startPolicy: batch.startPolicy ?? 'on_arrival',
    priority: PRIORITIES.indexOf(batch.priority ?? 'normal'),
  })
  await tx.insert(runs).values({
    workspaceId,
    batchId: id,
    number: 1,
    pipeline: batch.pipeline,
    passwords: batch.passwords ?? [],
    createdBy,
  })
  await appendEvent(tx, { workspaceId, batchId: id, type: 'batch.created', data: { name: batch.name } })
  return id
}

/** Counts under a lock of the workspace, so that parallel calls at the limit do not both get in. */
async function checkBatchCount(tx: Transaction, context: UserContext, plan: Plan): Promise<void> {
  if (plan.maxBatches === null) return
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('batches of ' || ${context.workspaceId}, 0))`)
  const { rows } = await tx.execute<{ count: number }>(sql`
    select count(*)::integer as count from batches where workspace_id = ${context.workspaceId} and deleted_at is null`)
  if (rows[0]!.count >= plan.maxBatches)
    throw new SheafError('plan_limit', `The plan ${plan.name} allows ${plan.maxBatches} batches.`, {
      extra: { limit: plan.maxBatches, used: rows[0]!.count },
    })
}

/** Closes the intake for good; documents that waited for it start. Closing a closed batch changes nothing. */
export async function closeBatch(database: Database, context: UserContext, batchId: string): Promise<void> {
  await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (batch.intake === 'closed') return
    await tx.execute(sql`
      update batches set intake = 'closed', closed_at = now(), updated_at = now(), version = version + 1
      where workspace_id = ${context.workspaceId} and id = ${batchId} and intake = 'open'`)
    const { rowCount } = await tx.execute(sql`
      update jobs set state = 'queued', queued_at = now() where workspace_id = ${context.workspaceId} and batch_id = ${batchId}
        and run_number = ${batch.runNumber} and kind = 'document' and state = 'received'`)
    if (rowCount) await wakeWorkers(tx)
    await appendEvent(tx, { workspaceId: context.workspaceId, batchId, type: 'batch.closed' })
    await settleLocked(tx, context.workspaceId, batchId)
  })
}

/** Changes name, description or priority; `version` is the ETag the caller has read. Throws not_found, stale_etag. */
export async function updateBatch(
  database: Database,
  context: UserContext,
  batchId: string,
  version: number | null,
  change: { name?: string | undefined; description?: string | null | undefined; priority?: Priority | undefined },
): Promise<void> {
  await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (version !== null && batch.version !== version) throw new SheafError('stale_etag')
    const priority = change.priority === undefined ? batch.priority : PRIORITIES.indexOf(change.priority)
    await tx.execute(sql`
      update batches set name = coalesce(${change.name ?? null}, name),
        description = case when ${change.description !== undefined} then ${change.description ?? null} else description end,
        priority = ${priority}, updated_at = now(), version = version + 1 where workspace_id = ${context.workspaceId} and id = ${batchId}`)
    if (priority !== batch.priority) {
      await tx.execute(sql`
        update jobs set priority = ${priority} where workspace_id = ${context.workspaceId} and batch_id = ${batchId} and run_number = ${batch.runNumber}
          and kind = 'document' and state in ('received', 'queued', 'retry_wait')`)
    }
    await appendEvent(tx, { workspaceId: context.workspaceId, batchId, type: 'batch.updated' })
  })
}

/**
 * Starts another run over the same documents with another pipeline. What was refused or skipped keeps its end.
 * The earlier run stays readable. Throws state_conflict while the present run goes on.
 */
export async function startRun(
  database: Database,
  context: UserContext,
  batchId: string,
  run: { pipeline: Pipeline; passwords?: string[] | undefined; documents?: string[] | undefined },
): Promise<number> {
  return database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (!['open', 'completed', 'partial', 'failed', 'cancelled'].includes(batch.status)) {
      throw new SheafError('state_conflict', `A batch that is ${batch.status} cannot start another run.`)
    }
    const number = batch.runNumber + 1
    await tx.insert(runs).values({
      workspaceId: context.workspaceId,
      batchId,
      number,
      pipeline: run.pipeline,
      passwords: run.passwords ?? [],
      createdBy: context.userId,
    })
    await tx.execute(sql`
      update batches set run_number = ${number}, status = 'queued', queued_at = now(), ended_as = null, ended_at = null, updated_at = now(), version = version + 1
      where workspace_id = ${context.workspaceId} and id = ${batchId}`)
    await copyJobs(tx, context.workspaceId, batchId, batch.runNumber, run.documents)
    await appendEvent(tx, { workspaceId: context.workspaceId, batchId, type: 'run.started', data: { run: number } })
    await wakeWorkers(tx)
    if (batch.intake === 'closed') await settleLocked(tx, context.workspaceId, batchId)
    return number
  })
}

async function copyJobs(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  from: number,
  only: string[] | undefined,
): Promise<void> {
  await tx.execute(sql`
    insert into jobs (workspace_id, kind, batch_id, run_number, document_id, is_member, state, stage, priority, vt, error, error_code, error_category, ended_at)
    select j.workspace_id, 'document', j.batch_id, ${from + 1}, j.document_id, j.is_member,
      case when kept then j.state else 'queued' end, case when kept then j.stage end, b.priority,
      (select vt from queue_clock where priority = b.priority) + row_number() over (order by d.position),
      case when kept then j.error end, case when kept then j.error_code end, case when kept then j.error_category end, case when kept then j.ended_at end
    from jobs j
    join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id
    join batches b on b.workspace_id = j.workspace_id and b.id = j.batch_id
    cross join lateral (select j.error_category in ('rejected', 'duplicate') is true as kept) k
    where j.workspace_id = ${workspaceId} and j.batch_id = ${batchId} and j.run_number = ${from} and j.kind = 'document'
      and (${only === undefined} or j.document_id = any(${sql.param(only ?? [])}::uuid[]))
    order by d.position`)
}

/** Hides the batch at once, stops its work and queues its deletion. Returns nothing new when repeated. */
export async function requestDeletion(
  database: Database,
  context: UserContext,
  batchId: string,
  version: number | null,
): Promise<void> {
  await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (version !== null && batch.version !== version) throw new SheafError('stale_etag')
    await cancelDocuments(tx, context.workspaceId, batchId, batch.runNumber)
    await tx.execute(sql`
      insert into deletions (workspace_id, batch_id, batch_name, requested_by)
      select workspace_id, id, name, ${context.userId}::uuid from batches where workspace_id = ${context.workspaceId} and id = ${batchId}`)
    await tx.execute(sql`
      update batches set deleted_at = now(), intake = 'closed', updated_at = now(), version = version + 1 where workspace_id = ${context.workspaceId} and id = ${batchId}`)
    await enqueueService(
      tx,
      'delete',
      { workspaceId: context.workspaceId, batchId: null, runNumber: null },
      { batchId },
    )
  })
}
