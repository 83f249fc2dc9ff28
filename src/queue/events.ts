import { type Database, sql, type Transaction } from '../database/index.ts'

export type EventType =
  | 'batch.created'
  | 'batch.updated'
  | 'batch.closed'
  | 'batch.completed'
  | 'batch.deleted'
  | 'document.updated'
  | 'export.completed'
  | 'run.started'

/** One entry of the durable log, written in the transaction of the change it speaks of. */
export async function appendEvent(
  tx: Transaction,
  event: { workspaceId: string; batchId: string; type: EventType; documentId?: string; data?: Record<string, unknown> },
): Promise<void> {
  await tx.execute(sql`
    insert into events (workspace_id, batch_id, document_id, type, data)
    values (${event.workspaceId}, ${event.batchId}, ${event.documentId ?? null}, ${event.type}, ${JSON.stringify(event.data ?? {})}::jsonb)`)
  await tx.execute(sql`select pg_notify('sheaf_events', '')`)
}

/** More documents than this in one event are only counted: whoever listens reads the list again. */
const LISTED_DOCUMENTS = 100

/** `document.updated`, coalesced: one event for each batch of a group of changes. */
export async function appendDocumentEvents(
  tx: Transaction,
  workspaceId: string,
  changes: readonly { batchId: string | null; documentId: string | null; state: string }[],
): Promise<void> {
  const byBatch = Map.groupBy(
    changes.filter((change) => change.batchId && change.documentId),
    (change) => change.batchId!,
  )
  if (byBatch.size === 0) return
  const rows = [...byBatch].map(([batchId, documents]) => ({
    batch_id: batchId,
    document_id: documents.length === 1 ? documents[0]!.documentId : null,
    data: {
      count: documents.length,
      ...(documents.length <= LISTED_DOCUMENTS && {
        documents: documents.map((document) => ({ id: document.documentId, state: document.state })),
      }),
    },
  }))
  await tx.execute(sql`
    with appended as (
      insert into events (workspace_id, batch_id, document_id, type, data)
      select ${workspaceId}::uuid, batch_id, document_id, 'document.updated', data
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as e(batch_id uuid, document_id uuid, data jsonb))
    select pg_notify('sheaf_events', '')`)
}

/** Key of the lock that one publisher holds at a time. */
const PUBLISHER_LOCK = 0x5eaf_e1
const GROUP = 1000

/**
 * Gives ids to the events that have none, in one transaction at a time: an id is seen only after all smaller ones, so
 * a reader that remembers the last id it saw misses nothing. Returns how many were published.
 */
export function publishEvents(database: Database): Promise<number> {
  return database.asSystem('events', async (tx) => {
    const lock = await tx.execute<{ locked: boolean }>(
      sql`select pg_try_advisory_xact_lock(${PUBLISHER_LOCK}) as locked`,
    )
    if (!lock.rows[0]!.locked) return 0
    const { rows } = await tx.execute(sql`
      update events e set id = n.id
      from (select workspace_id, entry, nextval('event_ids') as id
        from (select workspace_id, entry from events where id is null order by entry limit ${GROUP}) waiting) n
      where e.workspace_id = n.workspace_id and e.entry = n.entry returning e.workspace_id`)
    for (const workspace of new Set(rows.map((row) => row['workspace_id'] as string))) {
      await tx.execute(sql`select pg_notify('sheaf_published', ${workspace})`)
    }
    return rows.length
  })
}

export interface StoredEvent {
  id: number
  type: EventType
  batchId: string
  documentId: string | null
  at: string
  data: Record<string, unknown>
}

/** Published events of a workspace (or one batch of it) after an id, in order. */
export async function readEvents(
  tx: Transaction,
  filter: { workspaceId: string; batchId?: string; after: number; limit: number },
): Promise<StoredEvent[]> {
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select id, type, batch_id, document_id, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as at, data from events
    where workspace_id = ${filter.workspaceId} and id > ${filter.after} and (${filter.batchId ?? null}::uuid is null or batch_id = ${filter.batchId ?? null})
    order by id limit ${filter.limit}`)
  return rows.map((row) => ({
    id: row['id'] as number,
    type: row['type'] as EventType,
    batchId: row['batch_id'] as string,
    documentId: row['document_id'] as string | null,
    at: row['at'] as string,
    data: row['data'] as Record<string, unknown>,
  }))
}
