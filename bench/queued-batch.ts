import { newId } from '../src/core/index.ts'
import { sql, type UserContext } from '../src/database/index.ts'
import { closeBatch, createBatch, UNLIMITED } from '../src/intake/index.ts'
import { enqueueDocuments, wakeWorkers } from '../src/queue/index.ts'
import type { BenchDatabase } from './servers.ts'

export interface QueuedBatch {
  context: UserContext
  id: string
  documents: string[]
}

const GROUP = 5000

export async function createWorkspace({ database }: BenchDatabase): Promise<UserContext> {
  const workspaceId = newId()
  await database.asSystem('bootstrap', (tx) =>
    tx.execute(sql`insert into workspaces (id, name) values (${workspaceId}, 'bench')`),
  )
  return { workspaceId, userId: null }
}

/** A batch of documents that wait in the queue, put there as the intake does it; they have no stored bytes. */
export async function queueBatch(bench: BenchDatabase, context: UserContext, count: number): Promise<QueuedBatch> {
  const { database } = bench
  const id = await database.asUser(context, (tx) =>
    createBatch(tx, context, { name: 'bench', pipeline: {} }, UNLIMITED),
  )
  const documents = Array.from({ length: count }, () => newId())
  for (let from = 0; from < count; from += GROUP)
    await addDocuments(bench, { context, id, documents }, from, documents.slice(from, from + GROUP))
  await closeBatch(database, context, id)
  return { context, id, documents }
}

async function addDocuments(
  { database }: BenchDatabase,
  { context, id }: QueuedBatch,
  from: number,
  documents: string[],
): Promise<void> {
  const { workspaceId } = context
  await database.asUser(context, async (tx) => {
    await tx.execute(sql`select id from batches where id = ${id} for no key update`)
    await tx.execute(sql`
      insert into documents (workspace_id, id, batch_id, position, path)
      select ${workspaceId}::uuid, id, ${id}::uuid, array[${from}::integer + n::integer], 'document-' || n
      from unnest(${sql.param(documents)}::uuid[]) with ordinality as d(id, n)`)
    await enqueueDocuments(
      tx,
      { workspaceId, batchId: id, runNumber: 1, priority: 1, held: false },
      documents.map((documentId) => ({ documentId, isMember: false, state: 'queued' })),
    )
    await tx.execute(sql`update batches set status = 'queued' where id = ${id} and status = 'open'`)
    await wakeWorkers(tx)
  })
}
