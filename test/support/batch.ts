import { sql } from 'drizzle-orm'
import { newId, type Pipeline } from '../../src/core/index.ts'
import type { UserContext } from '../../src/database/index.ts'
import { closeBatch, createBatch, UNLIMITED } from '../../src/intake/index.ts'
import { enqueueDocuments } from '../../src/queue/index.ts'
import type { TestDatabase } from './database.ts'

export interface TestBatch {
  context: UserContext
  id: string
  documents: string[]
}

/** A batch with documents that wait in the queue, without stored bytes. */
export async function queuedBatch(
  test: TestDatabase,
  count: number,
  options: {
    context?: UserContext
    priority?: 'low' | 'normal' | 'high' | 'urgent'
    pipeline?: Pipeline
    open?: boolean
  } = {},
): Promise<TestBatch> {
  const context = options.context ?? (await test.workspace())
  const id = await test.database.asUser(context, (tx) =>
    createBatch(tx, context, { name: 'test', pipeline: options.pipeline ?? {}, priority: options.priority }, UNLIMITED),
  )
  const documents = Array.from({ length: count }, () => newId())
  await addDocuments(test, { context, id, documents })
  if (!options.open) await closeBatch(test.database, context, id)
  return { context, id, documents }
}

export async function addDocuments(test: TestDatabase, batch: TestBatch): Promise<void> {
  await test.database.asUser(batch.context, async (tx) => {
    const { rows } = await tx.execute<{ priority: number }>(
      sql`select priority from batches where id = ${batch.id} for no key update`,
    )
    await tx.execute(sql`
      insert into documents (workspace_id, id, batch_id, position, path)
      select ${batch.context.workspaceId}::uuid, id, ${batch.id}::uuid, array[n::integer], 'document-' || n from unnest(${sql.param(batch.documents)}::uuid[]) with ordinality as d(id, n)`)
    await enqueueDocuments(
      tx,
      {
        workspaceId: batch.context.workspaceId,
        batchId: batch.id,
        runNumber: 1,
        priority: rows[0]!.priority,
        held: false,
      },
      batch.documents.map((documentId) => ({ documentId, isMember: false, state: 'queued' as const })),
    )
    await tx.execute(sql`update batches set status = 'queued' where id = ${batch.id} and status = 'open'`)
  })
}

export interface JobRow {
  document_id: string
  state: string
  attempt: number
  attempts_used: number
  generation: number
  worker_losses: number
  leased_by: number | null
  error_code: string | null
  held: boolean
}

export async function jobsOf(test: TestDatabase, batch: TestBatch): Promise<JobRow[]> {
  return test.database.asUser(
    batch.context,
    async (tx) =>
      (
        await tx.execute<JobRow & Record<string, unknown>>(sql`
    select document_id, state, attempt, attempts_used, generation, worker_losses, leased_by, error_code, held from jobs where batch_id = ${batch.id} and kind = 'document' order by id`)
      ).rows,
  )
}

export async function batchRow(test: TestDatabase, batch: TestBatch): Promise<Record<string, unknown>> {
  return test.database.asUser(
    batch.context,
    async (tx) =>
      (
        await tx.execute(
          sql`select b.*, r.summary, r.revision from batches b join runs r on r.batch_id = b.id and r.number = b.run_number where b.id = ${batch.id}`,
        )
      ).rows[0]!,
  )
}

/** The counters by the view, and the same by counting the rows: they must be equal in every snapshot. */
export async function countersTwice(
  test: TestDatabase,
  batch: TestBatch,
): Promise<{ view: Record<string, number>; rows: Record<string, number> }> {
  return test.database.asUser(batch.context, async (tx) => {
    const both = await tx.execute<{ view: Record<string, number>; rows: Record<string, number> }>(sql`
      select (select jsonb_build_object('total', total, 'received', received, 'queued', queued, 'running', running, 'retry_wait', retry_wait, 'needs_input', needs_input,
          'succeeded', succeeded, 'partial', partial, 'failed', failed, 'skipped', skipped, 'cancelled', cancelled) from batch_counts where batch_id = ${batch.id}) as view,
        (select jsonb_build_object('total', count(*), 'received', count(*) filter (where state = 'received'), 'queued', count(*) filter (where state = 'queued'),
          'running', count(*) filter (where state = 'running'), 'retry_wait', count(*) filter (where state = 'retry_wait'), 'needs_input', count(*) filter (where state = 'needs_input'),
          'succeeded', count(*) filter (where state = 'succeeded'), 'partial', count(*) filter (where state = 'partial'), 'failed', count(*) filter (where state = 'failed'),
          'skipped', count(*) filter (where state = 'skipped'), 'cancelled', count(*) filter (where state = 'cancelled'))
          from jobs j join batches b on b.workspace_id = j.workspace_id and b.id = j.batch_id and b.run_number = j.run_number where j.batch_id = ${batch.id} and kind = 'document') as rows`)
    return both.rows[0]!
  })
}
