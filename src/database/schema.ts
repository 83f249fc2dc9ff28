import { tables } from './drizzle.ts'
import type { BatchStatus, DocumentError, DocumentState, Pipeline } from '../core/index.ts'

const {
  bigint,
  boolean,
  customType,
  doublePrecision,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  real,
  smallint,
  text,
  timestamp,
  uuid,
} = tables

/**
 * The tables as queries see them. The migrations are the truth; a test compares every column here with the database.
 */
const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const at = (name: string) => timestamp(name, { withTimezone: true, mode: 'date', precision: 6 })
const big = (name: string) => bigint(name, { mode: 'number' })

export const sheaf = pgSchema('sheaf')

export const workspaces = sheaf.table('workspaces', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull(),
  createdAt: at('created_at').notNull().defaultNow(),
})

export const apiKeys = sheaf.table(
  'api_keys',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    hash: bytea('hash').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    revokedAt: at('revoked_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const batches = sheaf.table(
  'batches',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    name: text('name').notNull(),
    description: text('description'),
    intake: text('intake').$type<'open' | 'closed'>().notNull().default('open'),
    status: text('status').$type<BatchStatus>().notNull().default('open'),
    endedAs: text('ended_as').$type<'completed' | 'partial' | 'failed' | 'cancelled'>(),
    startPolicy: text('start_policy').$type<'on_arrival' | 'on_close'>().notNull().default('on_arrival'),
    priority: smallint('priority').notNull().default(1),
    runNumber: integer('run_number').notNull().default(1),
    version: big('version').notNull().default(1),
    createdBy: uuid('created_by'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
    openedAt: at('opened_at').defaultNow(),
    queuedAt: at('queued_at'),
    startedAt: at('started_at'),
    pausedAt: at('paused_at'),
    cancellingAt: at('cancelling_at'),
    closedAt: at('closed_at'),
    finalizingAt: at('finalizing_at'),
    endedAt: at('ended_at'),
    expiresAt: at('expires_at'),
    deletedAt: at('deleted_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const runs = sheaf.table(
  'runs',
  {
    workspaceId: uuid('workspace_id').notNull(),
    batchId: uuid('batch_id').notNull(),
    number: integer('number').notNull(),
    pipeline: jsonb('pipeline').$type<Pipeline>().notNull(),
    passwords: text('passwords').array().notNull().default([]),
    summary: jsonb('summary').$type<Record<string, unknown>>(),
    revision: integer('revision').notNull().default(0),
    status: text('status').$type<BatchStatus>(),
    createdBy: uuid('created_by'),
    createdAt: at('created_at').notNull().defaultNow(),
    endedAt: at('ended_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.batchId, t.number] })],
)

export const blobs = sheaf.table(
  'blobs',
  {
    workspaceId: uuid('workspace_id').notNull(),
    key: text('key').notNull(),
    sha256: text('sha256').notNull(),
    bytes: big('bytes').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.key] })],
)

export const documents = sheaf.table(
  'documents',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    batchId: uuid('batch_id').notNull(),
    position: integer('position').array().notNull(),
    path: text('path').notNull(),
    sha256: text('sha256'),
    bytes: big('bytes').notNull().default(0),
    mediaType: text('media_type'),
    parentId: uuid('parent_id'),
    duplicateOf: uuid('duplicate_of'),
    clientKey: text('client_key'),
    createdBy: uuid('created_by'),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const jobs = sheaf.table(
  'jobs',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: big('id').generatedAlwaysAsIdentity(),
    kind: text('kind').notNull(),
    batchId: uuid('batch_id'),
    runNumber: integer('run_number'),
    documentId: uuid('document_id'),
    isMember: boolean('is_member').notNull().default(false),
    state: text('state').$type<DocumentState>().notNull().default('queued'),
    stage: text('stage'),
    priority: smallint('priority').notNull().default(1),
    vt: doublePrecision('vt').notNull().default(0),
    held: boolean('held').notNull().default(false),
    generation: integer('generation').notNull().default(1),
    attempt: integer('attempt').notNull().default(0),
    attemptsUsed: smallint('attempts_used').notNull().default(0),
    workerLosses: integer('worker_losses').notNull().default(0),
    childDeaths: smallint('child_deaths').notNull().default(0),
    limitFactor: real('limit_factor').notNull().default(1),
    leasedBy: integer('leased_by'),
    leasedUntil: at('leased_until'),
    nextAttemptAt: at('next_attempt_at'),
    waitingFor: text('waiting_for'),
    quarantined: boolean('quarantined').notNull().default(false),
    error: jsonb('error').$type<DocumentError>(),
    errorCode: text('error_code'),
    errorCategory: text('error_category'),
    pages: integer('pages'),
    words: integer('words'),
    failedPages: integer('failed_pages').notNull().default(0),
    issueCount: integer('issue_count').notNull().default(0),
    language: text('language'),
    parseMs: real('parse_ms'),
    review: text('review').notNull().default('none'),
    secret: text('secret'),
    data: jsonb('data').$type<Record<string, unknown>>(),
    queuedAt: at('queued_at').notNull().defaultNow(),
    startedAt: at('started_at'),
    attemptStartedAt: at('attempt_started_at'),
    endedAt: at('ended_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const attempts = sheaf.table(
  'attempts',
  {
    workspaceId: uuid('workspace_id').notNull(),
    jobId: big('job_id').notNull(),
    number: integer('number').notNull(),
    generation: integer('generation').notNull(),
    worker: integer('worker'),
    stage: text('stage'),
    startedAt: at('started_at'),
    endedAt: at('ended_at').notNull().defaultNow(),
    outcome: text('outcome').notNull(),
    error: jsonb('error').$type<DocumentError>(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.jobId, t.number] })],
)

export const results = sheaf.table(
  'results',
  {
    workspaceId: uuid('workspace_id').notNull(),
    batchId: uuid('batch_id').notNull(),
    runNumber: integer('run_number').notNull(),
    documentId: uuid('document_id').notNull(),
    stage: text('stage').notNull(),
    generation: integer('generation').notNull(),
    blobKey: text('blob_key'),
    blobSha256: text('blob_sha256'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.runNumber, t.documentId, t.stage, t.generation] })],
)

const countColumns = () => ({
  workspaceId: uuid('workspace_id').notNull(),
  batchId: uuid('batch_id').notNull(),
  runNumber: integer('run_number').notNull(),
  state: text('state').notNull(),
  code: text('code').notNull(),
  category: text('category').notNull(),
  message: text('message'),
  documents: big('documents').notNull(),
  files: big('files').notNull(),
  maxRetries: integer('max_retries').notNull(),
  firstStartedAt: at('first_started_at'),
  lastEndedAt: at('last_ended_at'),
})

export const batchTallies = sheaf.table('batch_tallies', countColumns(), (t) => [
  primaryKey({ columns: [t.workspaceId, t.batchId, t.runNumber, t.state, t.code] }),
])

export const batchDeltas = sheaf.table(
  'batch_deltas',
  { ...countColumns(), id: big('id').generatedAlwaysAsIdentity() },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const events = sheaf.table(
  'events',
  {
    workspaceId: uuid('workspace_id').notNull(),
    entry: big('entry').generatedAlwaysAsIdentity(),
    id: big('id'),
    batchId: uuid('batch_id').notNull(),
    documentId: uuid('document_id'),
    type: text('type').notNull(),
    at: at('at').notNull().defaultNow(),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.entry] })],
)

export const exportFiles = sheaf.table(
  'exports',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    batchId: uuid('batch_id').notNull(),
    runNumber: integer('run_number').notNull(),
    format: text('format').notNull(),
    state: text('state').$type<'queued' | 'running' | 'completed' | 'failed'>().notNull().default('queued'),
    blobKey: text('blob_key'),
    sha256: text('sha256'),
    bytes: big('bytes'),
    error: jsonb('error').$type<DocumentError>(),
    createdBy: uuid('created_by'),
    createdAt: at('created_at').notNull().defaultNow(),
    completedAt: at('completed_at'),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.id] })],
)

export const deletions = sheaf.table(
  'deletions',
  {
    workspaceId: uuid('workspace_id').notNull(),
    batchId: uuid('batch_id').notNull(),
    batchName: text('batch_name').notNull(),
    requestedBy: uuid('requested_by'),
    requestedAt: at('requested_at').notNull().defaultNow(),
    completedAt: at('completed_at'),
    receipt: jsonb('receipt').$type<Record<string, unknown>>(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.batchId] })],
)

export const idempotencyKeys = sheaf.table(
  'idempotency_keys',
  {
    workspaceId: uuid('workspace_id').notNull(),
    key: text('key').notNull(),
    requestHash: text('request_hash').notNull(),
    status: integer('status'),
    response: jsonb('response').$type<unknown>(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.workspaceId, t.key] })],
)

export const queueClock = sheaf.table('queue_clock', {
  priority: smallint('priority').primaryKey(),
  vt: doublePrecision('vt').notNull().default(0),
})

export const workers = sheaf.table('workers', {
  number: integer('number').primaryKey().generatedAlwaysAsIdentity(),
  id: uuid('id').notNull(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  startedAt: at('started_at').notNull().defaultNow(),
  seenAt: at('seen_at').notNull().defaultNow(),
  missingSince: at('missing_since'),
})
