import { sql, type SQL } from '../drizzle.ts'
import type { DocumentError, DocumentState, ReadingIssue } from '../../core/index.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'

/** A document in a list, as it stands in one run. It never carries text. */
export interface DocumentRow {
  id: string
  batchId: string
  run: number
  path: string
  sha256: string | null
  bytes: number
  mediaType: string | null
  type: string | null
  language: string | null
  state: DocumentState
  stage: string | null
  attempts: number
  quarantined: boolean
  pages: number | null
  words: number | null
  issues: number
  error: DocumentError | null
  review: string
  parent: string | null
  duplicateOf: string | null
  createdAt: string
  startedAt: string | null
  endedAt: string | null
}

export interface AttemptRow {
  number: number
  generation: number
  worker: number | null
  started: string | null
  ended: string | null
  stage: string | null
  outcome: string
  error: DocumentError | null
}

/** A document with everything but its text. */
export interface DocumentDetail extends Omit<DocumentRow, 'issues' | 'attempts'> {
  parseMs: number | null
  issues: ReadingIssue[]
  attempts: AttemptRow[]
  fields: Record<string, unknown>
  authorship: Record<string, unknown> | null
  scoreReport: Record<string, unknown> | null
  cluster: number | null
  nearDuplicates: Record<string, unknown>[]
}

export interface DocumentFilter {
  state?: DocumentState | undefined
  category?: string | undefined
  code?: string | undefined
  type?: string | undefined
  mediaType?: string | undefined
  /** The label of a folder or container, or the beginning of a name. */
  path?: string | undefined
  /** Position of the last document of the page before. */
  after?: number[] | undefined
  limit: number
}

interface Place {
  workspaceId: string
  batchId: string
  run: number
}
export type ListedDocument<T> = T & { position: number[] }

/** Documents of a run in input order. */
export async function listDocuments(
  tx: Transaction,
  place: Place,
  filter: DocumentFilter,
): Promise<ListedDocument<DocumentRow>[]> {
  const rows = await selectDocuments(tx, sql``, whereListed(place, filter), filter.limit)
  return rows.map((row) => ({ ...toDocument(row), position: row['position'] as number[] }))
}

/** The same with the details of each document. */
export async function listDocumentDetails(
  tx: Transaction,
  place: Place,
  filter: DocumentFilter,
): Promise<ListedDocument<DocumentDetail>[]> {
  const rows = await selectDocuments(tx, DETAILS, whereListed(place, filter), filter.limit)
  return rows.map((row) => ({ ...toDetail(row), position: row['position'] as number[] }))
}

/** One document in the present run of its batch, or in an earlier one; null when it is not visible. */
export async function readDocument(
  tx: Transaction,
  workspaceId: string,
  documentId: string,
  run?: number,
): Promise<DocumentDetail | null> {
  const condition = sql`d.workspace_id = ${workspaceId} and d.id = ${documentId} and j.run_number = ${run ?? sql`b.run_number`}`
  const rows = await selectDocuments(tx, DETAILS, condition, 1)
  return rows[0] ? toDetail(rows[0]) : null
}

function whereListed({ workspaceId, batchId, run }: Place, filter: DocumentFilter): SQL {
  const equal = (column: SQL, value: string | undefined) => (value === undefined ? [] : [sql`${column} = ${value}`])
  return sql.join(
    [
      sql`d.workspace_id = ${workspaceId} and d.batch_id = ${batchId} and j.run_number = ${run}`,
      ...equal(sql`j.state`, filter.state),
      ...equal(sql`j.error_category`, filter.category),
      ...equal(sql`j.error_code`, filter.code),
      ...equal(sql`k.type`, filter.type),
      ...equal(sql`d.media_type`, filter.mediaType),
      ...(filter.path === undefined ? [] : [sql`starts_with(d.path, ${filter.path})`]),
      ...(filter.after === undefined ? [] : [sql`d.position > ${sql.param(filter.after)}::integer[]`]),
    ],
    sql` and `,
  )
}

/** What each stage of the present generation left, and the attempts that came before the present one. */
const DETAILS = sql`,
  coalesce((select jsonb_object_agg(s.stage, s.data) from results s where s.workspace_id = j.workspace_id and s.run_number = j.run_number
    and s.document_id = j.document_id and s.generation = j.generation), '{}') as results,
  coalesce((select jsonb_agg(to_jsonb(a) order by a.number) from attempts a where a.workspace_id = j.workspace_id and a.job_id = j.id), '[]') as history`

async function selectDocuments(
  tx: Transaction,
  more: SQL,
  condition: SQL,
  limit: number,
): Promise<Record<string, unknown>[]> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select d.id, d.batch_id, d.position, d.path, d.sha256, d.bytes, d.media_type, d.parent_id, d.duplicate_of, d.created_at, j.run_number, k.type,
      j.language, j.state, j.stage, j.attempt, j.generation, j.leased_by, j.attempt_started_at, j.quarantined, j.pages, j.words, j.issue_count,
      j.error, j.review, j.parse_ms, j.started_at, j.ended_at ${more}
    from documents d
    join batches b on b.workspace_id = d.workspace_id and b.id = d.batch_id and b.deleted_at is null
    join jobs j on j.workspace_id = d.workspace_id and j.document_id = d.id and j.kind = 'document'
    left join lateral (
      select s.data ->> 'type' as type from results s where s.workspace_id = j.workspace_id and s.run_number = j.run_number
        and s.document_id = j.document_id and s.stage = 'classify' and s.generation = j.generation
    ) k on true
    where ${condition}
    order by d.position limit ${limit}`)
  return rows
}

function toDocument(row: Record<string, unknown>): DocumentRow {
  return {
    id: row['id'] as string,
    batchId: row['batch_id'] as string,
    run: row['run_number'] as number,
    path: row['path'] as string,
    sha256: row['sha256'] as string | null,
    bytes: row['bytes'] as number,
    mediaType: row['media_type'] as string | null,
    type: row['type'] as string | null,
    language: row['language'] as string | null,
    state: row['state'] as DocumentState,
    stage: row['stage'] as string | null,
    attempts: row['attempt'] as number,
    quarantined: row['quarantined'] as boolean,
    pages: row['pages'] as number | null,
    words: row['words'] as number | null,
    issues: row['issue_count'] as number,
    error: row['error'] as DocumentError | null,
    review: row['review'] as string,
    parent: row['parent_id'] as string | null,
    duplicateOf: row['duplicate_of'] as string | null,
    createdAt: isoTime(row['created_at'])!,
    startedAt: isoTime(row['started_at']),
    endedAt: isoTime(row['ended_at']),
  }
}

type StageData = Record<string, Record<string, unknown>>

function toDetail(row: Record<string, unknown>): DocumentDetail {
  const { extract, analyze, parse, admit } = row['results'] as StageData
  return {
    ...toDocument(row),
    parseMs: row['parse_ms'] as number | null,
    issues: ((parse ?? admit)?.['issues'] ?? []) as ReadingIssue[],
    attempts: toAttempts(row),
    fields: (extract?.['fields'] ?? {}) as DocumentDetail['fields'],
    authorship: (analyze?.['authorship'] ?? null) as DocumentDetail['authorship'],
    scoreReport: (extract?.['scoreReport'] ?? null) as DocumentDetail['scoreReport'],
    cluster: (analyze?.['cluster'] ?? null) as DocumentDetail['cluster'],
    nearDuplicates: (analyze?.['nearDuplicates'] ?? []) as DocumentDetail['nearDuplicates'],
  }
}

/** The attempts table holds what came before; the present attempt stands in the job until it becomes history too. */
function toAttempts(row: Record<string, unknown>): AttemptRow[] {
  const history = (row['history'] as Record<string, unknown>[]).map(toAttempt)
  const number = row['attempt'] as number
  if (number === 0 || history.some((attempt) => attempt.number === number)) return history
  return [
    ...history,
    toAttempt({
      ...row,
      number,
      worker: row['leased_by'],
      started_at: row['attempt_started_at'],
      outcome: row['state'],
    }),
  ]
}

function toAttempt(row: Record<string, unknown>): AttemptRow {
  return {
    number: row['number'] as number,
    generation: row['generation'] as number,
    worker: row['worker'] as number | null,
    started: isoTime(row['started_at']),
    ended: isoTime(row['ended_at']),
    stage: row['stage'] as string | null,
    outcome: row['outcome'] as string,
    error: row['error'] as DocumentError | null,
  }
}
