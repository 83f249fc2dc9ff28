import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { worksInDirectory } from './process-identity.ts'
import { SOCKET_NAME } from './socket-directory.ts'

/** What PostgreSQL notes in `postmaster.pid`: one fact a line, in the order of miscadmin.h (LOCK_FILE_LINE_…). */
export interface PostmasterFile {
  pid: number
  port: number
  socketDirectory: string
  /** `starting`, `ready`, `stopping` or `standby`. */
  status: string
}

const FILE_NAME = 'postmaster.pid'

/** Null when there is no such file; a file cut off by a crash yields empty facts. */
export function readPostmasterFile(database: string): PostmasterFile | null {
  try {
    const lines = readFileSync(join(database, FILE_NAME), 'utf8').split('\n')
    return {
      pid: Number(lines[0]),
      port: Number(lines[3]),
      socketDirectory: lines[4] ?? '',
      status: (lines[7] ?? '').trim(),
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** The postmaster that works on this database now, or null. A number that another program has by now does not count. */
export async function findPostmaster(database: string): Promise<PostmasterFile | null> {
  const file = readPostmasterFile(database)
  return file !== null && (await worksInDirectory(file.pid, database)) ? file : null
}

/**
 * Removes the marks of a server that is known to be gone. PostgreSQL itself refuses to start when the number in them
 * belongs to any living process of the same user, which is common after a power cut or in containers.
 */
export function removeStaleMarks(database: string, socketDirectory: string): void {
  const paths = [
    join(database, FILE_NAME),
    join(socketDirectory, SOCKET_NAME),
    join(socketDirectory, `${SOCKET_NAME}.lock`),
  ]
  for (const path of paths) rmSync(path, { force: true })
}
