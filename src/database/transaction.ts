import { drizzle, type NodePgDatabase } from './drizzle.ts'
import type pg from 'pg'
import { isId } from '../core/index.ts'

/** A handle on the database inside one transaction; it exists nowhere else. */
export type Transaction = Omit<NodePgDatabase, 'transaction'>

/** Who asks. `userId` is null until accounts exist and for work done by the program on a workspace's behalf. */
export interface UserContext {
  workspaceId: string
  userId: string | null
}

/** Every reason for which the program may look across workspaces. */
export type SystemReason =
  | 'lease'
  | 'sweep'
  | 'fold'
  | 'settle'
  | 'events'
  | 'authenticate'
  | 'bootstrap'
  | 'deletion'
  | 'doctor'
  | 'metrics'

const ROLES = {
  user: 'begin; set local role sheaf_user',
  snapshotUser: 'begin isolation level repeatable read; set local role sheaf_user',
  system: 'begin; set local role sheaf_system',
  // for changes that may be lost with the server without harm: a lost claim is only claimed again
  relaxedSystem: 'begin; set local role sheaf_system; set local synchronous_commit = off',
} as const

const REPEATABLE = new Set(['40001', '40P01'])
const TRIES = 4

/** Runs `work` as the members of a workspace: row-level security shows it that workspace and nothing else. */
export function runAsUser<T>(
  pool: pg.Pool,
  context: UserContext,
  options: { snapshot: boolean },
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  if (!isId(context.workspaceId)) throw new Error('asUser needs a workspace id')
  return inTransaction(pool, options.snapshot ? ROLES.snapshotUser : ROLES.user, context, work)
}

/** Runs `work` across workspaces on the few tables that leases, counters, events and sign-in need. */
export function runAsSystem<T>(
  pool: pg.Pool,
  options: { relaxed: boolean },
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, options.relaxed ? ROLES.relaxedSystem : ROLES.system, null, work)
}

/** Serialization failures and deadlocks are run again (with jitter), so `work` must be free of other effects. */
async function inTransaction<T>(
  pool: pg.Pool,
  begin: string,
  context: UserContext | null,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(pool, begin, context, work)
    } catch (error) {
      if (attempt >= TRIES || !REPEATABLE.has(sqlState(error) ?? '')) throw error
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * attempt))
    }
  }
}

async function once<T>(
  pool: pg.Pool,
  begin: string,
  context: UserContext | null,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  // without a listener a connection that is cut while we hold it would end the process
  const cut = (): void => {}
  client.on('error', cut)
  let broken: Error | undefined
  try {
    await client.query(begin)
    if (context) {
      await client.query("select set_config('app.workspace_id', $1, true), set_config('app.user_id', $2, true)", [
        context.workspaceId,
        context.userId ?? '',
      ])
    }
    const result = await work(drizzle({ client }))
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((reason: Error) => {
      broken = reason
    })
    throw error
  } finally {
    client.off('error', cut)
    // a connection that could not even roll back is thrown away
    client.release(broken)
  }
}

/** The SQLSTATE of a database error, also when the query builder wrapped it. */
export function sqlState(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const code = (e as { code?: unknown }).code
    if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) return code
  }
  return undefined
}
