import { type Database, sql, type SQL, type UserContext } from '../database/index.ts'

/** One thing that should not be. */
export interface Finding {
  /** The invariant of docs/guide/reliability: I1 … I10. */
  invariant: string
  level: 'error' | 'warning'
  message: string
  count: number
  /** Ids or keys of a few of them. */
  samples: string[]
}

interface Check {
  invariant: string
  level: Finding['level']
  message: string
  query: (workspaceId: string) => SQL
}

/** Longer than lease, backoff and step limit together: what stays unfinished after that is stuck. */
const STUCK = sql`interval '60 seconds'`

/**
 * Each query lists what breaks its invariant, as rows with one column `sample`. They run in one snapshot, so that they
 * may be asked at any moment of a running system.
 */
const CHECKS: readonly Check[] = [
  {
    invariant: 'I1',
    level: 'error',
    message: 'documents whose content has no row among the blobs',
    query: (
      ws,
    ) => sql`select d.id::text as sample from documents d where d.workspace_id = ${ws} and d.sha256 is not null
      and not exists (select from blobs b where b.workspace_id = d.workspace_id and b.key = d.workspace_id::text || '/source/' || d.sha256)
      and not exists (select from jobs j where j.workspace_id = d.workspace_id and j.document_id = d.id and j.error_category = 'rejected')
      and not exists (select from batches b where b.workspace_id = d.workspace_id and b.id = d.batch_id and b.deleted_at is not null)`,
  },
  {
    invariant: 'I1',
    level: 'error',
    message: 'succeeded documents without a result',
    query: (
      ws,
    ) => sql`select j.document_id::text as sample from jobs j where j.workspace_id = ${ws} and j.kind = 'document' and j.state in ('succeeded', 'partial')
      and not exists (select from results r where r.workspace_id = j.workspace_id and r.run_number = j.run_number and r.document_id = j.document_id and r.generation = j.generation)`,
  },
  {
    invariant: 'I2',
    level: 'error',
    message: 'documents that came twice from one submission',
    query: (ws) =>
      sql`select client_key as sample from documents where workspace_id = ${ws} and client_key is not null group by batch_id, client_key having count(*) > 1`,
  },
  {
    invariant: 'I2',
    level: 'error',
    message: 'documents that never came to the queue',
    query: (ws) => sql`select d.id::text as sample from documents d where d.workspace_id = ${ws}
      and not exists (select from jobs j where j.workspace_id = d.workspace_id and j.document_id = d.id and j.kind = 'document')`,
  },
  {
    invariant: 'I3',
    level: 'error',
    message: 'counters that differ from the documents they count',
    query: (ws) => sql`
      with counted as (select batch_id, run_number, state, count(*) as n, count(*) filter (where not is_member) as files from jobs where workspace_id = ${ws} and kind = 'document' group by 1, 2, 3),
      kept as (select batch_id, run_number, state, sum(documents) as n, sum(files) as files from (
        select batch_id, run_number, state, documents, files from batch_tallies where workspace_id = ${ws}
        union all select batch_id, run_number, state, documents, files from batch_deltas where workspace_id = ${ws}) k group by 1, 2, 3)
      select coalesce(counted.batch_id, kept.batch_id)::text || ' ' || coalesce(counted.state, kept.state) as sample
      from counted full join kept using (batch_id, run_number, state)
      where coalesce(counted.n, 0) <> coalesce(kept.n, 0) or coalesce(counted.files, 0) <> coalesce(kept.files, 0)`,
  },
  {
    invariant: 'I4',
    level: 'error',
    message: 'documents that used more attempts than they have, or whose readers died more than twice',
    query: (ws) =>
      sql`select document_id::text as sample from jobs where workspace_id = ${ws} and kind = 'document' and (attempts_used > 4 or child_deaths > 2 or attempt < attempts_used)`,
  },
  {
    invariant: 'I5',
    level: 'error',
    message: 'failed documents without category, message or retry rule',
    query: (
      ws,
    ) => sql`select document_id::text as sample from jobs where workspace_id = ${ws} and kind = 'document' and state in ('failed', 'needs_input')
      and (error_category is null or coalesce(error ->> 'message', '') = '' or error ->> 'retryable' is null)`,
  },
  {
    invariant: 'I6',
    level: 'error',
    message: 'results whose blob has no row',
    query: (
      ws,
    ) => sql`select r.blob_key as sample from results r where r.workspace_id = ${ws} and r.blob_key is not null
      and not exists (select from blobs b where b.workspace_id = r.workspace_id and b.key = r.blob_key)`,
  },
  {
    invariant: 'I8',
    level: 'error',
    message: 'documents that should have moved on',
    query: (
      ws,
    ) => sql`select coalesce(document_id::text, kind || ' ' || id) as sample from jobs where workspace_id = ${ws}
      and ((state = 'running' and leased_until < now() - ${STUCK}) or (state = 'retry_wait' and not held and next_attempt_at < now() - ${STUCK}))`,
  },
  {
    invariant: 'I8',
    level: 'error',
    message: 'batches that have ended although documents have not, or the other way round',
    query: (
      ws,
    ) => sql`select b.id::text as sample from batches b where b.workspace_id = ${ws} and b.deleted_at is null and (
      (b.status in ('completed', 'partial', 'failed', 'cancelled', 'expired') and exists (select from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id
        and j.run_number = b.run_number and j.kind = 'document' and j.state in ('received', 'queued', 'running', 'retry_wait')))
      or (b.status in ('queued', 'processing', 'cancelling') and b.updated_at < now() - ${STUCK} and not exists (select from jobs j where j.workspace_id = b.workspace_id
        and j.batch_id = b.id and j.run_number = b.run_number and j.kind = 'document' and j.state in ('received', 'queued', 'running', 'retry_wait')))
      or (b.status = 'finalizing' and b.finalizing_at < now() - ${STUCK} and not exists (select from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id
        and j.kind = 'finalize' and j.state in ('queued', 'running', 'retry_wait'))))`,
  },
  {
    invariant: 'I8',
    level: 'error',
    message: 'runs that ended more than once, or batches that ended without a summary',
    query: (
      ws,
    ) => sql`select b.id::text as sample from batches b join runs r on r.workspace_id = b.workspace_id and r.batch_id = b.id and r.number = b.run_number
      where b.workspace_id = ${ws} and b.deleted_at is null and (
        (b.status in ('completed', 'partial', 'failed', 'cancelled') and (r.summary is null or r.status is distinct from b.status))
        or exists (select from events e where e.workspace_id = b.workspace_id and e.batch_id = b.id and e.type = 'batch.completed'
          group by e.data ->> 'run', e.data ->> 'revision' having count(*) > 1))`,
  },
  {
    invariant: 'I8',
    level: 'error',
    message: 'deletions that are neither done nor under way',
    query: (
      ws,
    ) => sql`select d.batch_id::text as sample from deletions d where d.workspace_id = ${ws} and d.completed_at is null and not exists (
      select from jobs j where j.workspace_id = d.workspace_id and j.kind = 'delete' and j.data ->> 'batchId' = d.batch_id::text and j.state in ('queued', 'running', 'retry_wait'))`,
  },
  {
    invariant: 'I10',
    level: 'error',
    message: 'events that were never published, or ids given twice',
    query: (
      ws,
    ) => sql`select entry::text as sample from events where workspace_id = ${ws} and id is null and at < now() - ${STUCK}
      union all select id::text from events where workspace_id = ${ws} and id is not null group by id having count(*) > 1`,
  },
  {
    invariant: 'I8',
    level: 'warning',
    message: 'jobs of a kind that this version does not know',
    query: (ws) =>
      sql`select kind || ' ' || id as sample from jobs where workspace_id = ${ws} and kind not in ('document', 'finalize', 'export', 'delete')`,
  },
]

const SAMPLES = 5

/** What of the workspace's rows breaks an invariant; empty when all is well. */
export function checkInvariants(database: Database, context: UserContext): Promise<Finding[]> {
  return database.asUser(
    context,
    async (tx) => {
      const findings: Finding[] = []
      for (const { invariant, level, message, query } of CHECKS) {
        const { rows } = await tx.execute<{ sample: string }>(query(context.workspaceId))
        if (rows.length > 0)
          findings.push({
            invariant,
            level,
            message,
            count: rows.length,
            samples: rows.slice(0, SAMPLES).map((row) => row.sample),
          })
      }
      return findings
    },
    { snapshot: true },
  )
}
