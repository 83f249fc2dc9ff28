import type { DocumentError, DocumentState } from '../core/index.ts'
import { type Database, sql, type Transaction } from '../database/index.ts'
import type { Lease } from './claim.ts'
import { appendDocumentEvents } from './events.ts'
import type { Verdict } from './retry-policy.ts'

/** What a stage left behind for a document; written in the transaction that ends the attempt. */
export interface StageResult {
  stage: string
  blobKey: string | null
  blobSha256: string | null
  blobBytes: number
  data: Record<string, unknown>
}

/** Facts about a document that lists and summaries show. */
export interface DocumentFacts {
  mediaType?: string | null
  pages?: number | null
  words?: number | null
  failedPages?: number
  issueCount?: number
  language?: string | null
  parseMs?: number | null
}

/** How an attempt ended. */
export interface Outcome {
  state: Exclude<DocumentState, 'received' | 'queued' | 'running'>
  stage: string
  error: DocumentError | null
  facts?: DocumentFacts
  results?: StageResult[]
  verdict?: Verdict
  /** More that must become true with the end of the attempt, in the same transaction, only if the lease still holds. */
  also?: (tx: Transaction) => Promise<void>
}

export interface Completion {
  lease: Lease
  outcome: Outcome
}

/**
 * Ends attempts of one workspace in one transaction, results included. Each is fenced by attempt and worker: what a
 * stale worker brings changes nothing. Returns the ids of the jobs that were really ended.
 */
export function completeJobs(
  database: Database,
  workspaceId: string,
  worker: number,
  completions: readonly Completion[],
): Promise<Set<number>> {
  return database.asUser({ workspaceId, userId: null }, async (tx) => {
    await lockBatches(tx, workspaceId, completions)
    const ended = await endAttempts(tx, workspaceId, worker, completions)
    const kept = completions.filter(({ lease }) => ended.has(lease.id))
    await saveResults(tx, workspaceId, kept)
    await saveMediaTypes(tx, workspaceId, kept)
    for (const { outcome } of kept) await outcome.also?.(tx)
    await appendDocumentEvents(
      tx,
      workspaceId,
      kept.map(({ lease, outcome }) => ({
        batchId: lease.batchId,
        documentId: lease.documentId,
        state: outcome.state,
      })),
    )
    return ended
  })
}

/** Batch before documents, as everybody does who changes both; else two of them could wait for each other. */
async function lockBatches(tx: Transaction, workspaceId: string, completions: readonly Completion[]): Promise<void> {
  const ids = [
    ...new Set(completions.flatMap(({ lease, outcome }) => (outcome.also && lease.batchId ? [lease.batchId] : []))),
  ]
  if (ids.length === 0) return
  await tx.execute(
    sql`select id from batches where workspace_id = ${workspaceId} and id = any(${sql.param(ids)}::uuid[]) order by id for no key update`,
  )
}

const NO_FACTS = {
  pages: null,
  words: null,
  failedPages: 0,
  issueCount: 0,
  language: null,
  parseMs: null,
} satisfies DocumentFacts

/** The columns of the job that end with the attempt, as `endAttempts` reads them from JSON. */
function toRow({ lease, outcome }: Completion): Record<string, unknown> {
  const facts = { ...NO_FACTS, ...outcome.facts }
  const verdict = {
    delaySeconds: null,
    waitingFor: null,
    attemptCounts: true,
    quarantined: false,
    ...lease,
    ...outcome.verdict,
  }
  return {
    id: lease.id,
    attempt: lease.attempt,
    state: outcome.state,
    stage: outcome.stage,
    error: outcome.error,
    pages: facts.pages,
    words: facts.words,
    failed_pages: facts.failedPages,
    issue_count: facts.issueCount,
    language: facts.language,
    parse_ms: facts.parseMs,
    delay: verdict.delaySeconds,
    waiting_for: verdict.waitingFor,
    given_back: verdict.attemptCounts ? 0 : 1,
    child_deaths: verdict.childDeaths,
    quarantined: verdict.quarantined,
    limit_factor: verdict.limitFactor,
  }
}

async function endAttempts(
  tx: Transaction,
  workspaceId: string,
  worker: number,
  completions: readonly Completion[],
): Promise<Set<number>> {
  const rows = completions.map(toRow)
  const { rows: ended } = await tx.execute<{ id: number }>(sql`
    with outcome as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as o(id bigint, attempt integer, state text, stage text, error jsonb,
        pages integer, words integer, failed_pages integer, issue_count integer, language text, parse_ms real, delay float8, waiting_for text,
        given_back smallint, child_deaths smallint, quarantined boolean, limit_factor real)
    ), ended as (
      update jobs j set state = o.state, stage = o.stage, leased_by = null, leased_until = null, secret = null,
        error = o.error, error_code = o.error ->> 'code', error_category = o.error ->> 'category',
        pages = o.pages, words = o.words, failed_pages = o.failed_pages, issue_count = o.issue_count, language = o.language, parse_ms = o.parse_ms,
        attempts_used = greatest(j.attempts_used - o.given_back, 0), child_deaths = o.child_deaths, quarantined = o.quarantined,
        limit_factor = o.limit_factor, waiting_for = o.waiting_for,
        next_attempt_at = case when o.state = 'retry_wait' then clock_timestamp() + make_interval(secs => o.delay) end,
        ended_at = clock_timestamp()
      from outcome o
      where j.workspace_id = ${workspaceId} and j.id = o.id and j.attempt = o.attempt and j.leased_by = ${worker} and j.state = 'running'
      returning j.workspace_id, j.id, j.attempt, j.generation, j.stage, j.state, j.attempt_started_at, j.error, j.waiting_for
    ), history as (
      insert into attempts (workspace_id, job_id, number, generation, worker, stage, started_at, outcome, error)
      select workspace_id, id, attempt, generation, ${worker}, stage, attempt_started_at,
        case when waiting_for is null then 'failed' else 'waiting' end, error
      from ended where state = 'retry_wait' on conflict do nothing
    )
    select id from ended`)
  return new Set(ended.map((row) => row.id))
}

/** Results are written by (workspace, run, document, stage, generation): the second time changes nothing. */
async function saveResults(tx: Transaction, workspaceId: string, completions: readonly Completion[]): Promise<void> {
  const rows = completions.flatMap(({ lease, outcome }) =>
    (outcome.results ?? []).map((result) => ({
      batch_id: lease.batchId,
      run_number: lease.runNumber,
      document_id: lease.documentId,
      stage: result.stage,
      generation: lease.generation,
      blob_key: result.blobKey,
      blob_sha256: result.blobSha256,
      bytes: result.blobBytes,
      data: result.data,
    })),
  )
  if (rows.length === 0) return
  await tx.execute(sql`
    with result as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(batch_id uuid, run_number integer, document_id uuid, stage text,
        generation integer, blob_key text, blob_sha256 text, bytes bigint, data jsonb)
    ), stored as (
      insert into blobs (workspace_id, key, sha256, bytes)
      select distinct on (blob_key) ${workspaceId}::uuid, blob_key, blob_sha256, bytes from result where blob_key is not null
      on conflict (workspace_id, key) do update set sha256 = excluded.sha256, bytes = excluded.bytes
    )
    insert into results (workspace_id, batch_id, run_number, document_id, stage, generation, blob_key, blob_sha256, data)
    select ${workspaceId}::uuid, batch_id, run_number, document_id, stage, generation, blob_key, blob_sha256, data from result
    on conflict do nothing`)
}

/** The type found in the content belongs to the document, whatever the run. */
async function saveMediaTypes(tx: Transaction, workspaceId: string, completions: readonly Completion[]): Promise<void> {
  const rows = completions
    .filter(({ outcome }) => outcome.facts?.mediaType)
    .map(({ lease, outcome }) => ({ id: lease.documentId, media_type: outcome.facts!.mediaType }))
  if (rows.length === 0) return
  await tx.execute(sql`
    update documents d set media_type = m.media_type
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as m(id uuid, media_type text)
    where d.workspace_id = ${workspaceId} and d.id = m.id and d.media_type is distinct from m.media_type`)
}
