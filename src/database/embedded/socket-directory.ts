import { createHash } from 'node:crypto'
import { chmodSync, chownSync, lstatSync, mkdirSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runtimeDirectory } from './environment.ts'
import type { Runner } from './runner.ts'
import { refusedError } from './start-error.ts'

/** The number in the name of the socket file; nothing listens on TCP. */
export const SOCKET_PORT = 5432
export const SOCKET_NAME = `.s.PGSQL.${SOCKET_PORT}`

/** sun_path of unix(7) takes 107 bytes on Linux and 103 on macOS. */
const LONGEST_SOCKET_PATH = 100

const fits = (directory: string): boolean => Buffer.byteLength(join(directory, SOCKET_NAME)) <= LONGEST_SOCKET_PATH

/** `$XDG_RUNTIME_DIR` counts only when it is ours and PostgreSQL runs as us; else the temp folder. */
function shortFolders(runner: Runner): string[] {
  if (runtimeDirectory === null || runner.identity.uid !== undefined) return [tmpdir()]
  const found = statSync(runtimeDirectory, { throwIfNoEntry: false })
  return found?.isDirectory() && found.uid === runner.ownerUid ? [runtimeDirectory, tmpdir()] : [tmpdir()]
}

function makePrivate(directory: string, runner: Runner): void {
  try {
    mkdirSync(directory, { mode: 0o700 })
    if (runner.identity.uid !== undefined && runner.identity.gid !== undefined) {
      chownSync(directory, runner.identity.uid, runner.identity.gid)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  // lstat: anybody may have put a folder or a link there, below a temp folder that all share
  const found = lstatSync(directory)
  if (!found.isDirectory() || found.uid !== runner.ownerUid) {
    throw refusedError(
      `${directory} belongs to somebody else.`,
      'Remove it, or choose a shorter directory with --data.',
    )
  }
  if ((found.mode & 0o077) !== 0) chmodSync(directory, 0o700)
}

/**
 * Where PostgreSQL puts its socket: in the database directory, or if its path is too long for a socket in a private
 * folder `sheaf-<12 hex of the sha256 of the data directory>` below the runtime or temp folder.
 */
export function prepareSocketDirectory(dataDir: string, runner: Runner): string {
  const database = join(dataDir, 'postgres')
  if (fits(database)) return database
  const name = `sheaf-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}`
  const directory = shortFolders(runner)
    .map((folder) => join(folder, name))
    .find(fits)
  if (directory === undefined) {
    throw refusedError(
      `The path of ${dataDir} is too long for a socket, and so is the temp folder's.`,
      'Choose a shorter directory with --data.',
    )
  }
  makePrivate(directory, runner)
  return directory
}

/** Removes the folder again when it is one of those made here and empty. */
export function removeSocketDirectory(directory: string, dataDir: string): void {
  if (directory === join(dataDir, 'postgres')) return
  try {
    rmdirSync(directory)
  } catch {
    // not empty or gone: the next start looks again
  }
}
