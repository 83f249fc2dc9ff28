import { newId } from '../core/index.ts'
import { sql, type Transaction } from '../database/index.ts'

/** Where the next documents of a batch join the queue, and how far apart they stand. */
export interface StartTag {
  vt: number
  step: number
}

/**
 * Start-time fair queueing (Goyal, Vin, Cheng 1996), flattened to one column: a batch with a backlog goes on behind
 * its own last document, one without joins at the clock. The step is the number of the workspace's active batches at
 * that time: n batches of a workspace weigh as much as 1 + 1/2 + … + 1/n, not as n.
 * The caller holds the lock on the batch row.
 */
export async function startTag(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  priority: number,
): Promise<StartTag> {
  const { rows } = await tx.execute<{ vt: number; step: number }>(sql`
    select greatest(
        (select vt from queue_clock where priority = ${priority}),
        (select max(vt) from jobs where workspace_id = ${workspaceId} and batch_id = ${batchId} and state = 'queued')) as vt,
      greatest(1, (select count(*) from (select 1 from batches where workspace_id = ${workspaceId}
        and status in ('queued', 'processing') and id <> ${batchId} limit 999) others) + 1)::float8 as step`)
  return rows[0]!
}

/** A document that gets its row in the queue; `state` is `received` while the batch has not started. */
export interface DocumentJob {
  documentId: string
  isMember: boolean
  state: 'received' | 'queued' | 'failed' | 'skipped'
  stage?: string
  error?: { code: string; category: string } & Record<string, unknown>
}

export interface BatchPlace {
  workspaceId: string
  batchId: string
  runNumber: number
  priority: number
  held: boolean
}

/** Puts documents in the queue in the given order; refused and repeated ones get their row in its end state. */
export async function enqueueDocuments(
  tx: Transaction,
  batch: BatchPlace,
  documents: readonly DocumentJob[],
): Promise<void> {
  if (documents.length === 0) return
  const tag = await startTag(tx, batch.workspaceId, batch.batchId, batch.priority)
  const rows = documents.map((document, index) => ({
    document_id: document.documentId,
    is_member: document.isMember,
    state: document.state,
    stage: document.stage ?? null,
    error: document.error ?? null,
    n: index + 1,
  }))
  await tx.execute(sql`
    insert into jobs (workspace_id, kind, batch_id, run_number, document_id, is_member, state, stage, priority, vt, held,
      error, error_code, error_category, ended_at)
    select ${batch.workspaceId}, 'document', ${batch.batchId}, ${batch.runNumber}, d.document_id, d.is_member, d.state, d.stage,
      ${batch.priority}, ${tag.vt}::float8 + ${tag.step}::float8 * d.n, ${batch.held},
      d.error, d.error ->> 'code', d.error ->> 'category', case when d.state in ('failed', 'skipped') then now() end
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as d(document_id uuid, is_member boolean, state text, stage text, error jsonb, n integer)
    order by d.n`)
}

export type ServiceKind = 'finalize' | 'export' | 'delete'

/** Puts work for the program itself in the queue, before any document. */
export async function enqueueService(
  tx: Transaction,
  kind: ServiceKind,
  place: { workspaceId: string; batchId: string | null; runNumber: number | null },
  data: Record<string, unknown> = {},
): Promise<void> {
  await tx.execute(sql`
    insert into jobs (workspace_id, kind, batch_id, run_number, priority, data)
    values (${place.workspaceId}, ${kind}, ${place.batchId}, ${place.runNumber}, 3, ${JSON.stringify({ ...data, ticket: newId() })}::jsonb)`)
  await wakeWorkers(tx)
}

/** Tells idle workers, when the transaction commits, that something waits. */
export async function wakeWorkers(tx: Transaction): Promise<void> {
  await tx.execute(sql`select pg_notify('sheaf_work', '')`)
}
