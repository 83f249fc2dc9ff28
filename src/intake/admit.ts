import { ERRORS, failpoint, newId, SheafError, type DocumentState, type ErrorCode } from '../core/index.ts'
import { type Database, sql, type Transaction, type UserContext } from '../database/index.ts'
import {
  appendDocumentEvents,
  appendEvent,
  describeFailure,
  enqueueDocuments,
  lockBatch,
  wakeWorkers,
  type DocumentJob,
} from '../queue/index.ts'
import { sourceKey, type StagedBlob } from '../storage/index.ts'
import { cleanLabel } from './names.ts'
import type { Plan } from './plan.ts'

/** A file that has arrived: staged bytes, or the reason why it was refused at the door. */
export interface ReceivedFile {
  /** The relative path the sender gave; a label only. */
  path: string
  staged: StagedBlob | null
  refused?: { code: ErrorCode; detail?: string }
  /** Makes sending the same file again idempotent, unique in the batch. */
  clientKey?: string | null
}

export interface AdmittedFile {
  documentId: string
  path: string
  sha256: string | null
  bytes: number
  state: DocumentState
  duplicateOf: string | null
  error: ReturnType<typeof describeFailure> | null
  /** False when the same client key had brought it before. */
  isNew: boolean
}

interface Parent {
  documentId: string
  position: number[]
}
interface Entry extends AdmittedFile {
  staged: StagedBlob | null
  clientKey: string | null
  position: number[]
  parentId: string | null
}

/**
 * Turns received files into documents of an open batch, in one transaction: rows, blobs, queue, counters, events.
 * Blobs get their final names after their rows are locked and before the commit, so that no row is without its blob
 * and a deletion in the same moment cannot take one away. Throws not_found, batch_closed.
 */
export async function admitFiles(
  database: Database,
  context: UserContext,
  batchId: string,
  files: readonly ReceivedFile[],
  plan: Plan,
): Promise<AdmittedFile[]> {
  const admitted = await database.asUser(context, async (tx) => {
    const batch = await lockBatch(tx, context.workspaceId, batchId)
    if (batch.intake !== 'open') throw new SheafError('batch_closed')
    const known = await byClientKey(tx, context.workspaceId, batchId, files)
    const fresh = files.filter((file) => !file.clientKey || !known.has(file.clientKey))
    const room = await roomLeft(tx, context.workspaceId, batchId, plan)
    await checkStoredBytes(tx, context.workspaceId, fresh, plan)
    const first = await nextPosition(tx, context.workspaceId, batchId)
    const entries = fresh.map((file, index) => toEntry(file, [first + index], null, index < room))
    await insertDocuments(tx, context, batchId, entries)
    return files.map((file) => (file.clientKey && known.get(file.clientKey)) || entries[fresh.indexOf(file)]!)
  })
  failpoint('after-intake-commit')
  await Promise.all(files.flatMap((file) => file.staged?.discard() ?? []))
  return admitted
}

/**
 * Adds the members of an archive as documents of the same batch and run, inside the transaction that ends the
 * archive's own attempt. Members that are there from an earlier attempt stay as they are. Returns how many are new.
 */
export async function admitMembers(
  tx: Transaction,
  context: UserContext,
  batchId: string,
  parent: Parent,
  members: readonly (ReceivedFile & { index: number })[],
): Promise<number> {
  const there = await tx.execute<{ position: number[] }>(sql`
    select position from documents where workspace_id = ${context.workspaceId} and batch_id = ${batchId} and parent_id = ${parent.documentId}`)
  const known = new Set(there.rows.map((row) => row.position.at(-1)))
  const entries = members
    .filter((member) => !known.has(member.index))
    .map((member) => toEntry(member, [...parent.position, member.index], parent.documentId, true))
  await insertDocuments(tx, context, batchId, entries)
  return entries.length
}

function toEntry(file: ReceivedFile, position: number[], parentId: string | null, hasRoom: boolean): Entry {
  const label = cleanLabel(file.path)
  const refused = file.refused ?? refusalAtTheDoor(label, file.staged?.bytes ?? null, hasRoom)
  const error = refused ? describeFailure({ ...refused, stage: 'admit' }, 0, new Date()) : null
  return {
    documentId: newId(),
    path: label ?? 'unnamed',
    sha256: file.staged?.sha256 ?? null,
    bytes: file.staged?.bytes ?? 0,
    state: error ? 'failed' : 'received',
    duplicateOf: null,
    error,
    isNew: true,
    staged: refused ? null : file.staged,
    clientKey: file.clientKey ?? null,
    position,
    parentId,
  }
}

/** What name, size and count alone decide. */
function refusalAtTheDoor(label: string | null, bytes: number | null, hasRoom: boolean): { code: ErrorCode } | null {
  if (label === null) return { code: 'bad_name' }
  if (bytes === 0) return { code: 'empty_file' }
  return hasRoom ? null : { code: 'too_many_files' }
}

async function insertDocuments(
  tx: Transaction,
  context: UserContext,
  batchId: string,
  entries: Entry[],
): Promise<void> {
  if (entries.length === 0) return
  const { rows } = await tx.execute<{
    status: string
    start_policy: string
    intake: string
    priority: number
    run_number: number
  }>(sql`
    select status, start_policy, intake, priority, run_number from batches where workspace_id = ${context.workspaceId} and id = ${batchId}`)
  const batch = rows[0]!
  const starts = batch.start_policy === 'on_arrival' || batch.intake === 'closed'
  await skipRepeated(tx, context.workspaceId, batchId, entries)
  await insertRows(tx, context, batchId, entries)
  await storeBlobs(tx, context.workspaceId, entries)
  for (const entry of entries) if (entry.state === 'received' && starts) entry.state = 'queued'
  await enqueueDocuments(
    tx,
    {
      workspaceId: context.workspaceId,
      batchId,
      runNumber: batch.run_number,
      priority: batch.priority,
      held: batch.status === 'paused',
    },
    entries.map(toJob),
  )
  await appendDocumentEvents(
    tx,
    context.workspaceId,
    entries.map((entry) => ({ batchId, documentId: entry.documentId, state: entry.state })),
  )
  await beginQueue(tx, context.workspaceId, batchId, entries)
  failpoint('before-intake-commit')
}

function toJob(entry: Entry): DocumentJob {
  const state = entry.state as DocumentJob['state']
  return {
    documentId: entry.documentId,
    isMember: entry.parentId !== null,
    state,
    ...(entry.error && { error: { ...entry.error }, stage: 'admit' }),
  }
}

/** Inside a batch a content is read once: repetitions are kept as rows that point to the first one. */
async function skipRepeated(tx: Transaction, workspaceId: string, batchId: string, entries: Entry[]): Promise<void> {
  const hashes = [...new Set(entries.filter((entry) => entry.state === 'received').map((entry) => entry.sha256))]
  const { rows } = await tx.execute<{ sha256: string; id: string }>(sql`
    select distinct on (sha256) sha256, id from documents where workspace_id = ${workspaceId} and batch_id = ${batchId}
      and sha256 = any(${sql.param(hashes)}::text[]) and duplicate_of is null order by sha256, position`)
  const first = new Map(rows.map((row) => [row.sha256, row.id]))
  for (const entry of entries.filter((one) => one.state === 'received')) {
    const original = first.get(entry.sha256!)
    if (original === undefined) first.set(entry.sha256!, entry.documentId)
    else
      Object.assign(entry, {
        state: 'skipped',
        duplicateOf: original,
        error: describeFailure({ code: 'same_content', stage: 'admit' }, 0, new Date()),
      })
  }
}

async function insertRows(tx: Transaction, context: UserContext, batchId: string, entries: Entry[]): Promise<void> {
  const rows = entries.map((entry) => ({
    id: entry.documentId,
    position: entry.position,
    path: entry.path,
    sha256: entry.sha256,
    bytes: entry.bytes,
    parent_id: entry.parentId,
    duplicate_of: entry.duplicateOf,
    client_key: entry.clientKey,
  }))
  await tx.execute(sql`
    insert into documents (workspace_id, batch_id, created_by, id, position, path, sha256, bytes, parent_id, duplicate_of, client_key)
    select ${context.workspaceId}::uuid, ${batchId}::uuid, ${context.userId}::uuid, id, position, path, sha256, bytes, parent_id, duplicate_of, client_key
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as d(id uuid, position integer[], path text, sha256 text, bytes bigint, parent_id uuid, duplicate_of uuid, client_key text)`)
}

/** Row first (its lock keeps a deletion of the same content waiting), then the name, then the commit. */
async function storeBlobs(tx: Transaction, workspaceId: string, entries: Entry[]): Promise<void> {
  const stored = entries.filter((entry) => entry.staged && entry.state === 'received')
  const rows = stored.map((entry) => ({
    key: sourceKey(workspaceId, entry.sha256!),
    sha256: entry.sha256,
    bytes: entry.bytes,
  }))
  if (rows.length === 0) return
  await tx.execute(sql`
    insert into blobs (workspace_id, key, sha256, bytes)
    select ${workspaceId}::uuid, key, sha256, bytes from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as b(key text, sha256 text, bytes bigint) order by key
    on conflict (workspace_id, key) do update set bytes = excluded.bytes`)
  await Promise.all(stored.map((entry) => entry.staged!.commit(sourceKey(workspaceId, entry.sha256!))))
}

async function beginQueue(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  entries: readonly Entry[],
): Promise<void> {
  const waits = entries.some((entry) => entry.state === 'queued' || entry.state === 'received')
  if (!waits) return
  const { rowCount } = await tx.execute(sql`
    update batches set status = 'queued', queued_at = now(), updated_at = now(), version = version + 1
    where workspace_id = ${workspaceId} and id = ${batchId} and status = 'open'`)
  if (rowCount === 1) await appendEvent(tx, { workspaceId, batchId, type: 'batch.updated', data: { status: 'queued' } })
  await wakeWorkers(tx)
}

async function byClientKey(
  tx: Transaction,
  workspaceId: string,
  batchId: string,
  files: readonly ReceivedFile[],
): Promise<Map<string, AdmittedFile>> {
  const keys = files.flatMap((file) => file.clientKey ?? [])
  if (keys.length === 0) return new Map()
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select d.client_key, d.id, d.path, d.sha256, d.bytes, d.duplicate_of, j.state, j.error from documents d
    join jobs j on j.workspace_id = d.workspace_id and j.document_id = d.id and j.kind = 'document'
    where d.workspace_id = ${workspaceId} and d.batch_id = ${batchId} and d.client_key = any(${sql.param(keys)}::text[]) order by j.run_number`)
  return new Map(
    rows.map((row) => [
      row['client_key'] as string,
      {
        documentId: row['id'],
        path: row['path'],
        sha256: row['sha256'],
        bytes: row['bytes'],
        state: row['state'],
        duplicateOf: row['duplicate_of'],
        error: row['error'],
        isNew: false,
      } as unknown as AdmittedFile,
    ]),
  )
}

/** How many more files the plan lets into the batch. */
async function roomLeft(tx: Transaction, workspaceId: string, batchId: string, plan: Plan): Promise<number> {
  if (plan.maxFilesPerBatch === null) return Infinity
  const { rows } = await tx.execute<{ files: number }>(sql`
    select count(*)::integer as files from documents d join jobs j on j.workspace_id = d.workspace_id and j.document_id = d.id and j.kind = 'document'
    join batches b on b.workspace_id = d.workspace_id and b.id = d.batch_id and j.run_number = b.run_number
    where d.workspace_id = ${workspaceId} and d.batch_id = ${batchId} and d.parent_id is null and coalesce(j.error_category, '') <> 'rejected'`)
  return Math.max(0, plan.maxFilesPerBatch - rows[0]!.files)
}

/** Counts under a lock of the workspace, so that parallel uploads at the limit do not all get in. Throws plan_limit. */
async function checkStoredBytes(
  tx: Transaction,
  workspaceId: string,
  files: readonly ReceivedFile[],
  plan: Plan,
): Promise<void> {
  if (plan.maxStoredBytes === null) return
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('bytes of ' || ${workspaceId}, 0))`)
  const { rows } = await tx.execute<{ used: number }>(sql`
    select coalesce(sum(bytes), 0)::bigint as used from blobs where workspace_id = ${workspaceId}`)
  const used = rows[0]!.used
  const wanted = files.reduce((sum, file) => sum + (file.staged?.bytes ?? 0), 0)
  if (used + wanted <= plan.maxStoredBytes) return
  const detail = `The plan ${plan.name} stores ${plan.maxStoredBytes} bytes; ${used} are used.`
  throw new SheafError('plan_limit', detail, { extra: { limit: plan.maxStoredBytes, used } })
}

async function nextPosition(tx: Transaction, workspaceId: string, batchId: string): Promise<number> {
  const { rows } = await tx.execute<{ last: number | null }>(sql`
    select position[1] as last from documents where workspace_id = ${workspaceId} and batch_id = ${batchId} order by position desc limit 1`)
  return (rows[0]?.last ?? 0) + 1
}

/** Whether a code is decided before a file's content is looked at. */
export function isRefusal(code: ErrorCode): boolean {
  return ERRORS[code].category === 'rejected' || ERRORS[code].category === 'quota'
}
