import pg from 'pg'
import { SheafError } from '../core/index.ts'
import { runAsSystem, runAsUser, type SystemReason, type Transaction, type UserContext } from './transaction.ts'

// counts and sizes fit a double; ids of that type are row numbers far below 2^53
pg.types.setTypeParser(pg.types.builtins.INT8, Number)
pg.types.setTypeParser(pg.types.builtins.NUMERIC, Number)

/** The only way to the data. */
export interface Database {
  /**
   * Runs `work` in one transaction as a member of the workspace; retried on serialization failures. With `snapshot`
   * all its queries see the same moment.
   */
  asUser<T>(context: UserContext, work: (tx: Transaction) => Promise<T>, options?: { snapshot?: boolean }): Promise<T>
  /** Runs `work` in one transaction across workspaces, on the few tables the reason needs. */
  asSystem<T>(reason: SystemReason, work: (tx: Transaction) => Promise<T>, options?: { relaxed?: boolean }): Promise<T>
  /** Calls `heard` for each notification until the returned function is called; reconnects by itself. */
  listen(channels: readonly string[], heard: (channel: string, payload: string) => void): Promise<() => Promise<void>>
  /** Holds the advisory lock that says "worker `number` lives" on a connection of its own. */
  holdWorkerLock(number: number): Promise<WorkerLock>
  close(): Promise<void>
}

export interface WorkerLock {
  /** Called after the connection was lost and the lock could be taken again. */
  release(): Promise<void>
}

/** First key of the advisory locks of workers (0x5EAF); the second is the worker's number. */
export const WORKER_LOCK_CLASS = 0x5eaf

const CONNECT_PATIENCE_MS = 5000
const RECONNECT_DELAY_MS = 100

/** Opens a pool whose every connection is sheaf_login, a role without rights outside asUser and asSystem. */
export function openPool(connection: pg.ClientConfig, size: number): Database {
  const settings: pg.ClientConfig = {
    ...connection,
    options: '-c role=sheaf_login -c search_path=sheaf,pg_temp',
    application_name: 'sheaf',
  }
  const pool = new pg.Pool({
    ...settings,
    max: size,
    idleTimeoutMillis: 60_000,
    connectionTimeoutMillis: CONNECT_PATIENCE_MS,
  })
  pool.on('error', () => {}) // an idle connection was cut; the pool opens another when one is needed
  const sessions = new Set<Session>()
  const begin = patientPool(pool)
  return {
    asUser: (context, work, options) => runAsUser(begin, context, { snapshot: options?.snapshot ?? false }, work),
    asSystem: (_reason, work, options) => runAsSystem(begin, { relaxed: options?.relaxed ?? false }, work),
    listen: async (channels, heard) => {
      const session = openSession(settings, sessions, async (client) => {
        client.on('notification', (message) => heard(message.channel, message.payload ?? ''))
        for (const channel of channels) await client.query(`listen ${client.escapeIdentifier(channel)}`)
      })
      await session.ready
      return session.close
    },
    holdWorkerLock: async (number) => {
      const session = openSession(settings, sessions, async (client) => {
        await client.query('select pg_advisory_lock($1, $2)', [WORKER_LOCK_CLASS, number])
      })
      await session.ready
      return { release: session.close }
    },
    close: async () => {
      await Promise.all([...sessions].map((session) => session.close()))
      await pool.end()
    },
  }
}

/** Connecting waits up to five seconds for a database that restarts, then says `unavailable`. */
function patientPool(pool: pg.Pool): pg.Pool {
  const connect = async (): Promise<pg.PoolClient> => {
    const deadline = performance.now() + CONNECT_PATIENCE_MS
    for (;;) {
      try {
        return await pool.connect()
      } catch (error) {
        if (pool.ending || performance.now() > deadline)
          throw new SheafError('unavailable', 'The database does not answer.', { cause: error })
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_DELAY_MS))
      }
    }
  }
  return { connect } as pg.Pool
}

interface Session {
  ready: Promise<void>
  close(): Promise<void>
}

/** One connection that is opened again whenever it is lost, and prepared each time. */
function openSession(
  settings: pg.ClientConfig,
  sessions: Set<Session>,
  prepare: (client: pg.Client) => Promise<void>,
): Session {
  let client: pg.Client | null = null
  let timer: NodeJS.Timeout | undefined
  let closed = false
  const connect = async (): Promise<void> => {
    const next = new pg.Client({ ...settings, keepAlive: true })
    next.on('error', () => {}) // 'end' follows
    await next.connect()
    client = next
    await prepare(next)
    next.on('end', again)
  }
  const again = (): void => {
    client = null
    if (!closed) timer = setTimeout(() => connect().catch(again), RECONNECT_DELAY_MS)
  }
  const session: Session = {
    ready: connect(),
    close: async () => {
      closed = true
      clearTimeout(timer)
      sessions.delete(session)
      await client?.end().catch(() => {})
    },
  }
  sessions.add(session)
  return session
}
