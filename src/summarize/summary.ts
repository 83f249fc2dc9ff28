import { batchEnd, type Counters } from '../core/index.ts'
import { sql, type Transaction } from '../database/index.ts'

export interface BatchSummary {
  revision: number
  status: ReturnType<typeof batchEnd>
  counters: Counters
  /** Documents per media type, most frequent first. */
  types: { mediaType: string; documents: number }[]
  pages: number
  words: number
  bytes: number
  languages: { language: string; documents: number }[]
  /** Error patterns: every category with its count, and the most frequent codes with a sample. */
  errors: {
    categories: { category: string; documents: number }[]
    top: { category: string; code: string; message: string; documents: number; sampleDocumentId: string }[]
  }
  slowest: { documentId: string; path: string; milliseconds: number; pages: number | null }[]
  /** Seconds. */
  durations: {
    total: number | null
    documentMean: number | null
    documentMedian: number | null
    documentLongest: number | null
  }
}

const TOP = 10

/** Counters of a run, exact in the snapshot of the transaction. */
async function readCounters(tx: Transaction, workspaceId: string, batchId: string, run: number): Promise<Counters> {
  const { rows } = await tx.execute<{ state: string; documents: number }>(sql`
    select state, sum(documents)::bigint as documents from (
      select state, documents from batch_tallies where workspace_id = ${workspaceId} and batch_id = ${batchId} and run_number = ${run}
      union all
      select state, documents from batch_deltas where workspace_id = ${workspaceId} and batch_id = ${batchId} and run_number = ${run}
    ) c group by state`)
  const by = (state: string): number => rows.find((row) => row.state === state)?.documents ?? 0
  return {
    total: rows.reduce((sum, row) => sum + row.documents, 0),
    received: by('received'),
    queued: by('queued'),
    running: by('running'),
    retryWait: by('retry_wait'),
    needsInput: by('needs_input'),
    succeeded: by('succeeded'),
    partial: by('partial'),
    failed: by('failed'),
    skipped: by('skipped'),
    cancelled: by('cancelled'),
  }
}

/** The summary of a run whose documents have all ended: the same rows give the same summary, durations apart. */
export async function summarizeBatch(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  run: number,
  revision: number,
): Promise<BatchSummary> {
  const place = sql`j.workspace_id = ${workspaceId} and j.batch_id = ${batchId} and j.run_number = ${run} and j.kind = 'document'`
  const counters = await readCounters(tx, workspaceId, batchId, run)
  return {
    revision,
    status: batchEnd(counters),
    counters,
    types: await many(
      tx,
      sql`
      select coalesce(d.media_type, 'unknown') as "mediaType", count(*)::integer as documents from jobs j
      join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id where ${place} group by 1 order by 2 desc, 1`,
    ),
    ...(await one<{ pages: number; words: number; bytes: number }>(
      tx,
      sql`
      select coalesce(sum(j.pages), 0)::bigint as pages, coalesce(sum(j.words), 0)::bigint as words, coalesce(sum(d.bytes), 0)::bigint as bytes from jobs j
      join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id where ${place}`,
    )),
    languages: await many(
      tx,
      sql`
      select j.language, count(*)::integer as documents from jobs j where ${place} and j.language is not null group by 1 order by 2 desc, 1`,
    ),
    errors: {
      categories: await many(
        tx,
        sql`
        select j.error_category as category, count(*)::integer as documents from jobs j where ${place} and j.state in ('failed', 'needs_input') group by 1 order by 2 desc, 1`,
      ),
      top: await many(
        tx,
        sql`
        select j.error_category as category, j.error_code as code, max(j.error ->> 'message') as message, count(*)::integer as documents,
          (array_agg(j.document_id order by d.position))[1] as "sampleDocumentId"
        from jobs j join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id
        where ${place} and j.state in ('failed', 'needs_input') group by 1, 2 order by 4 desc, 2 limit ${TOP}`,
      ),
    },
    slowest: await many(
      tx,
      sql`
      select j.document_id as "documentId", d.path, round((extract(epoch from j.ended_at - j.attempt_started_at) * 1000)::numeric, 1) as milliseconds, j.pages
      from jobs j join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id
      where ${place} and j.attempt_started_at is not null and j.ended_at is not null order by j.ended_at - j.attempt_started_at desc, d.position limit ${TOP}`,
    ),
    durations: await one(
      tx,
      sql`
      select round(extract(epoch from max(j.ended_at) - min(j.started_at))::numeric, 3) as total,
        round(avg(extract(epoch from j.ended_at - j.attempt_started_at))::numeric, 3) as "documentMean",
        round((percentile_cont(0.5) within group (order by extract(epoch from j.ended_at - j.attempt_started_at)))::numeric, 3) as "documentMedian",
        round(max(extract(epoch from j.ended_at - j.attempt_started_at))::numeric, 3) as "documentLongest"
      from jobs j where ${place} and j.attempt_started_at is not null`,
    ),
  }
}

async function many<T>(tx: Transaction, query: ReturnType<typeof sql>): Promise<T[]> {
  return (await tx.execute(query)).rows as T[]
}

async function one<T>(tx: Transaction, query: ReturnType<typeof sql>): Promise<T> {
  return (await tx.execute(query)).rows[0] as T
}
