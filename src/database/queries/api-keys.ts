import { sql } from '../drizzle.ts'
import type { Transaction } from '../transaction.ts'
import { isoTime } from './row-values.ts'

export interface KeyRow {
  id: string
  name: string
  createdAt: string
}

/** The workspace of a key that is in force; runs as the system, because nobody is known yet. */
export async function findKey(tx: Transaction, hash: Buffer): Promise<{ id: string; workspaceId: string } | null> {
  const { rows } = await tx.execute<{ id: string; workspaceId: string }>(sql`
    select id, workspace_id as "workspaceId" from api_keys where hash = ${hash} and revoked_at is null limit 1`)
  return rows[0] ?? null
}

export async function insertKey(
  tx: Transaction,
  key: { workspaceId: string; id: string; name: string; hash: Buffer },
): Promise<KeyRow> {
  const { rows } = await tx.execute<{ created_at: string }>(sql`
    insert into api_keys (workspace_id, id, name, hash) values (${key.workspaceId}, ${key.id}, ${key.name}, ${key.hash}) returning created_at`)
  return { id: key.id, name: key.name, createdAt: isoTime(rows[0]!.created_at)! }
}

/** Keys in force, the newest first. */
export async function listKeys(
  tx: Transaction,
  workspaceId: string,
  page: { before?: string | undefined; limit: number },
): Promise<KeyRow[]> {
  const before = page.before === undefined ? sql`true` : sql`id < ${page.before}::uuid`
  const { rows } = await tx.execute<Record<string, unknown>>(sql`
    select id, name, created_at from api_keys where workspace_id = ${workspaceId} and revoked_at is null and ${before} order by id desc limit ${page.limit}`)
  return rows.map((row) => ({
    id: row['id'] as string,
    name: row['name'] as string,
    createdAt: isoTime(row['created_at'])!,
  }))
}

/** Returns the hash of the key that was revoked, null when none was in force. */
export async function revokeKey(tx: Transaction, workspaceId: string, keyId: string): Promise<Buffer | null> {
  const { rows } = await tx.execute<{ hash: Buffer }>(sql`
    update api_keys set revoked_at = now() where workspace_id = ${workspaceId} and id = ${keyId} and revoked_at is null returning hash`)
  return rows[0]?.hash ?? null
}
