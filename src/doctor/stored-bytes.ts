import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { type Database, sql, type UserContext } from '../database/index.ts'
import type { BlobStore } from '../storage/index.ts'
import type { Finding } from './invariants.ts'

const PAGE = 1000
const SAMPLES = 5

interface Row {
  key: string
  sha256: string
  bytes: number
}

/**
 * Compares the rows of blobs with the store: every row has its bytes (with `deep`: and they hash to what the row says),
 * and every object has its row, apart from what an interrupted upload left for `gc`.
 */
export async function checkStoredBytes(
  database: Database,
  store: BlobStore,
  context: UserContext,
  options: { deep: boolean },
): Promise<Finding[]> {
  const missing: string[] = []
  const corrupt: string[] = []
  for await (const row of blobRows(database, context)) {
    const head = await store.head(row.key)
    if (!head) missing.push(row.key)
    else if (head.bytes !== row.bytes || (options.deep && (await hashOf(store, row.key)) !== row.sha256))
      corrupt.push(row.key)
  }
  const orphans = await findOrphans(database, store, context)
  return [
    finding('I6', 'error', 'blobs whose bytes are missing', missing),
    finding('I1', 'error', 'blobs whose bytes have changed', corrupt),
    finding(
      'I6',
      'warning',
      'stored objects that no row refers to (gc removes them)',
      orphans.map((orphan) => orphan.key),
    ),
  ].filter((one) => one.count > 0)
}

function finding(invariant: string, level: Finding['level'], message: string, keys: string[]): Finding {
  return { invariant, level, message, count: keys.length, samples: keys.slice(0, SAMPLES) }
}

async function* blobRows(database: Database, context: UserContext): AsyncGenerator<Row> {
  for (let after = ''; ;) {
    const { rows } = await database.asUser(context, (tx) =>
      tx.execute<Row & Record<string, unknown>>(sql`
      select key, sha256, bytes from blobs where workspace_id = ${context.workspaceId} and key > ${after} order by key limit ${PAGE}`),
    )
    yield* rows
    if (rows.length < PAGE) return
    after = rows.at(-1)!.key
  }
}

async function hashOf(store: BlobStore, key: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(await store.get(key), hash)
  return hash.digest('hex')
}

async function findOrphans(
  database: Database,
  store: BlobStore,
  context: UserContext,
): Promise<{ key: string; bytes: number; modified: Date }[]> {
  const orphans: { key: string; bytes: number; modified: Date }[] = []
  let group: { key: string; bytes: number; modified: Date }[] = []
  const pass = async (): Promise<void> => {
    const keys = group.map((object) => object.key)
    const { rows } = await database.asUser(context, (tx) =>
      tx.execute<{ key: string }>(sql`
      select key from blobs where workspace_id = ${context.workspaceId} and key = any(${sql.param(keys)}::text[])`),
    )
    const known = new Set(rows.map((row) => row.key))
    orphans.push(...group.filter((object) => !known.has(object.key)))
    group = []
  }
  for await (const object of store.list(`${context.workspaceId}/`)) {
    group.push(object)
    if (group.length >= PAGE) await pass()
  }
  if (group.length > 0) await pass()
  return orphans
}

/** Younger objects may belong to an upload whose rows are about to be committed. */
const UPLOAD_MS = 60 * 60 * 1000

/** Removes what interrupted uploads and readings left behind; returns what was freed. */
export async function collectGarbage(
  database: Database,
  store: BlobStore,
  context: UserContext,
  options: { olderThanMs?: number | undefined } = {},
): Promise<{ objects: number; bytes: number; staged: number }> {
  const olderThanMs = options.olderThanMs ?? UPLOAD_MS
  const limit = Date.now() - olderThanMs
  let objects = 0
  let bytes = 0
  for (const orphan of (await findOrphans(database, store, context)).filter((one) => one.modified.getTime() <= limit)) {
    if (!(await deleteOrphan(database, store, context, orphan.key))) continue
    objects++
    bytes += orphan.bytes
  }
  return { objects, bytes, staged: await store.sweep(olderThanMs) }
}

/**
 * Deletes under the lock of a row of its own making: whoever stores the same content in this moment waits for the row,
 * and then gives its bytes the name again. False when a row has come meanwhile, or the bytes have gone.
 */
function deleteOrphan(database: Database, store: BlobStore, context: UserContext, key: string): Promise<boolean> {
  return database.asUser(context, async (tx) => {
    const { rowCount } = await tx.execute(sql`
      insert into blobs (workspace_id, key, sha256, bytes) values (${context.workspaceId}, ${key}, '', 0) on conflict do nothing`)
    if (rowCount !== 1) return false
    const deleted = await store.delete(key)
    await tx.execute(sql`delete from blobs where workspace_id = ${context.workspaceId} and key = ${key}`)
    return deleted
  })
}
