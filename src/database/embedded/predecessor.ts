import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { lockFile, tryLockFile } from './file-lock.ts'
import { findPostmaster, type PostmasterFile } from './postmaster-file.ts'
import { childrenOf, signalProcess, worksInDirectory } from './process-identity.ts'
import { isWatcherAlive, type ServerFile } from './server-file.ts'
import { refusedError } from './start-error.ts'

/** Held by every process of the PostgreSQL that we start, by inheritance: free means that all of them are gone. */
export const serverLockPath = (dataDir: string): string => join(dataDir, 'postgres.lock')

const SETTLE_MS = 250
const PATIENCE_MS = 3_000
const LAST_PROCESS_MS = 10_000
const GIVE_UP_MS = 30_000

async function answers(file: PostmasterFile, password: string): Promise<boolean> {
  const client = new Client({
    host: file.socketDirectory,
    port: file.port,
    user: 'postgres',
    database: 'postgres',
    password,
    connectionTimeoutMillis: 1_000,
    query_timeout: 1_000,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Answers now and still a moment later: one that is told to stop refuses new connections at once. */
async function keepsAnswering(file: PostmasterFile, password: string): Promise<boolean> {
  if (!(await answers(file, password))) return false
  await delay(SETTLE_MS)
  return answers(file, password)
}

/** Ends a server that may be stuck, without a checkpoint: what is committed is in the log, the next start replays it. */
export async function endPostmaster(pid: number, database: string): Promise<void> {
  if (!(await worksInDirectory(pid, database))) return
  signalProcess(pid, 'SIGQUIT')
  const deadline = performance.now() + PATIENCE_MS
  while (performance.now() < deadline) {
    if (!(await worksInDirectory(pid, database))) return
    await delay(20)
  }
  // stopped or hanging processes cannot see that their postmaster is gone
  for (const victim of [pid, ...(await childrenOf(pid))]) signalProcess(victim, 'SIGKILL')
}

function stillRunning(dataDir: string): Error {
  return refusedError(
    `Processes of an earlier database server still run on ${dataDir}.`,
    'End them (they hold the file postgres.lock open), or choose another directory with --data.',
  )
}

/** Takes the server lock once the last process of an earlier server is gone. Throws when that does not happen. */
export async function lockServer(dataDir: string): Promise<number> {
  const lock = await lockFile(serverLockPath(dataDir), LAST_PROCESS_MS)
  if (lock === null) throw stillRunning(dataDir)
  return lock
}

export interface Predecessor {
  dataDir: string
  database: string
  /** What the Sheaf before us left in `server.json`. */
  file: ServerFile | null
  /** The superuser's password, null where there is no database yet. */
  password: string | null
}

/** The server lock if nothing runs; looked again under the lock, for a server that was just being started. */
async function lockIfAlone({ dataDir, database }: Predecessor): Promise<number | null> {
  const lock = await tryLockFile(serverLockPath(dataDir))
  if (lock === null || (await findPostmaster(database)) === null) return lock
  closeSync(lock)
  return null
}

/**
 * Looks for a PostgreSQL that a Sheaf which is gone has left running. One that its watcher is about to stop is waited
 * for; one that nobody watches is adopted if it answers, else ended. Yields the server to adopt, or the server lock.
 */
export async function settlePredecessor(found: Predecessor): Promise<{ adopt: PostmasterFile } | { lock: number }> {
  const begun = performance.now()
  for (;;) {
    const waited = performance.now() - begun
    if (waited > GIVE_UP_MS) throw stillRunning(found.dataDir)
    const running = await findPostmaster(found.database)
    if (running === null) {
      const lock = await lockIfAlone(found)
      if (lock !== null) return { lock }
    } else {
      const watched = found.file !== null && (await isWatcherAlive(found.file))
      if (!watched && found.password !== null && (await keepsAnswering(running, found.password)))
        return { adopt: running }
      if (waited > (watched ? LAST_PROCESS_MS : PATIENCE_MS)) await endPostmaster(running.pid, found.database)
    }
    await delay(15)
  }
}
