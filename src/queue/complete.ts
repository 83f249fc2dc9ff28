import { SheafError, type DocumentError, type DocumentState } from '../core/index.ts'
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
  /** Gives new bytes their name; called while the row of the blob is locked, before the commit. */
  place?: () => Promise<void>
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
  /** Called once the attempt is written, or it is known that it will not be: removes what nobody refers to. */
  cleanup?: () => Promise<void>
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

/**
 * The columns of the job that end with the attempt, as `endAttempts` reads them from JSON. What is left out is null
 * there or keeps what the lease was given: most attempts end well and say little.
 */
function toRow({ lease, outcome }: Completion): Record<string, unknown> {
  const { facts, verdict } = outcome
  return {
    id: lease.id,
    attempt: lease.attempt,
    state: outcome.state,
    stage: outcome.stage,
    ...(outcome.error && { error: outcome.error }),
    ...(facts && {
      pages: facts.pages,
      words: facts.words,
      failed_pages: facts.failedPages,
      issue_count: facts.issueCount,
      language: facts.language,
      parse_ms: facts.parseMs,
    }),
    ...(verdict && {
      delay: verdict.delaySeconds,
      waiting_for: verdict.waitingFor,
      given_back: verdict.attemptCounts ? 0 : 1,
      child_deaths: verdict.childDeaths,
      quarantined: verdict.quarantined,
      limit_factor: verdict.limitFactor,
    }),
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
      select * from json_to_recordset(${JSON.stringify(rows)}::json) as o(id bigint, attempt integer, state text, stage text, error jsonb,
        pages integer, words integer, failed_pages integer, issue_count integer, language text, parse_ms real, delay float8, waiting_for text,
        given_back smallint, child_deaths smallint, quarantined boolean, limit_factor real)
    ), ended as (
      update jobs j set state = o.state, stage = o.stage, leased_by = null, leased_until = null, secret = null,
        error = o.error, error_code = o.error ->> 'code', error_category = o.error ->> 'category',
        pages = o.pages, words = o.words, failed_pages = coalesce(o.failed_pages, 0), issue_count = coalesce(o.issue_count, 0), language = o.language, parse_ms = o.parse_ms,
        attempts_used = greatest(j.attempts_used - coalesce(o.given_back, 0), 0), child_deaths = coalesce(o.child_deaths, j.child_deaths),
        quarantined = coalesce(o.quarantined, false), limit_factor = coalesce(o.limit_factor, j.limit_factor), waiting_for = o.waiting_for,
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
  const results = completions.flatMap(({ lease, outcome }) =>
    (outcome.results ?? []).map((result) => ({ lease, result })),
  )
  if (results.length === 0) return
  await placeBlobs(
    tx,
    workspaceId,
    results.map(({ result }) => result),
  )
  const rows = results.map(({ lease, result }) => ({
    batch_id: lease.batchId,
    run_number: lease.runNumber,
    document_id: lease.documentId,
    stage: result.stage,
    generation: lease.generation,
    blob_key: result.blobKey,
    blob_sha256: result.blobSha256,
    data: result.data,
  }))
  await tx.execute(sql`
    insert into results (workspace_id, batch_id, run_number, document_id, stage, generation, blob_key, blob_sha256, data)
    select ${workspaceId}::uuid, batch_id, run_number, document_id, stage, generation, blob_key, blob_sha256, data
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(batch_id uuid, run_number integer, document_id uuid, stage text,
      generation integer, blob_key text, blob_sha256 text, data jsonb)
    on conflict do nothing`)
}

/**
 * Row first, name second, as intake does it: the lock of the row keeps a deletion of the same content waiting. A blob
 * that was only reused, and is gone in this moment, makes the attempt fail, and the next one reads again.
 */
async function placeBlobs(tx: Transaction, workspaceId: string, results: readonly StageResult[]): Promise<void> {
  const blobs = new Map(results.flatMap((result) => (result.blobKey ? [[result.blobKey, result] as const] : [])))
  if (blobs.size === 0) return
  const rows = [...blobs].map(([key, result]) => ({ key, sha256: result.blobSha256, bytes: result.blobBytes }))
  const { rows: stored } = await tx.execute<{ key: string; is_new: boolean }>(sql`
    insert into blobs (workspace_id, key, sha256, bytes)
    select ${workspaceId}::uuid, key, sha256, bytes
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as b(key text, sha256 text, bytes bigint) order by key
    on conflict (workspace_id, key) do update set sha256 = excluded.sha256, bytes = excluded.bytes
    returning key, xmax = 0 as is_new`)
  const gone = stored.find(({ key, is_new: isNew }) => isNew && !blobs.get(key)!.place)
  if (gone) throw new SheafError('blob_missing', 'What was read before was deleted in this moment.')
  await Promise.all([...blobs.values()].flatMap((result) => result.place?.() ?? []))
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
