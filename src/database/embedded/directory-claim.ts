import { closeSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { tryLockFile } from './file-lock.ts'
import { identifyProcess, isProcessAlive } from './process-identity.ts'
import { loadServerFile, ownerOf, removeServerFile, writeServerFile, type ServerFile } from './server-file.ts'
import { EmbeddedStartError, START_EXIT_CODES } from './start-error.ts'

/** How long a Sheaf that has just taken the lock may need until its name stands in `server.json`. */
const NAME_WITHIN_MS = 1_000

/** Makes the data directory (0700) where it is missing and yields its real path. */
export function prepareDataDirectory(dataDir: string): string {
  makeDirectory(resolve(dataDir))
  return realpathSync(dataDir)
}

/** Not the recursive form of mkdir: on a read-only file system that says ENOENT, which hides the reason. */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  makeDirectory(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // another process may have been as fast as we
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error
  }
}

function inUse(dataDir: string, owner: ServerFile | null): EmbeddedStartError {
  const who =
    owner === null ? 'its pid is not known yet' : `pid ${owner.pid} on ${owner.host}, started ${owner.startedAt}`
  return new EmbeddedStartError(
    START_EXIT_CODES.inUse,
    `Another Sheaf runs on ${dataDir} (${who}).`,
    'Use that one, stop it, or choose another directory with --data.',
  )
}

async function liveOwner(dataDir: string): Promise<ServerFile | null> {
  const file = loadServerFile(dataDir)
  return file !== null && (await isProcessAlive(ownerOf(file))) ? file : null
}

async function nameHolder(dataDir: string): Promise<ServerFile | null> {
  const deadline = performance.now() + NAME_WITHIN_MS
  for (;;) {
    const owner = await liveOwner(dataDir)
    if (owner !== null) return owner
    // in another container neither its number nor its boot id can be checked from here: name what is written
    if (performance.now() > deadline) return loadServerFile(dataDir)
    await delay(20)
  }
}

const NOTHING_RUNS = { socketDirectory: null, port: null, postmasterPid: null, watcherPid: null, watcherStarted: null }

/** Writes us as owner. What is known of a server of the same boot stays, should we die before it is settled. */
async function writeOwner(dataDir: string, previous: ServerFile | null): Promise<void> {
  const self = await identifyProcess(process.pid)
  if (self === null) throw new Error('the process table cannot be read')
  const { pid, started: pidStarted, bootId, host } = self
  const startedAt = new Date().toISOString()
  const server = previous?.bootId === bootId ? previous : NOTHING_RUNS
  writeServerFile(dataDir, { ...server, pid, pidStarted, bootId, host, startedAt, httpAddress: null })
}

export interface DirectoryClaim {
  /** What the Sheaf before us left in `server.json`. */
  previous: ServerFile | null
  /** Gives the directory back; `server.json` goes first, so that it never names one that is gone. */
  release(): void
}

/**
 * Takes the data directory for this process, until `release` or the process's end. Throws an EmbeddedStartError with
 * exit code 75 while another process has it. The lock decides; a living owner in `server.json` is respected even if
 * the lock is free, because somebody may have removed the lock file.
 */
export async function claimDirectory(dataDir: string): Promise<DirectoryClaim> {
  const lock = await tryLockFile(join(dataDir, 'sheaf.lock'))
  if (lock === null) throw inUse(dataDir, await nameHolder(dataDir))
  try {
    const owner = await liveOwner(dataDir)
    if (owner !== null) throw inUse(dataDir, owner)
    const previous = loadServerFile(dataDir)
    await writeOwner(dataDir, previous)
    return {
      previous,
      release: () => {
        try {
          removeServerFile(dataDir)
        } finally {
          closeSync(lock)
        }
      },
    }
  } catch (error) {
    closeSync(lock)
    throw error
  }
}
