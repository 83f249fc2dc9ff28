import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from './durable-files.ts'
import { isProcessAlive, type ProcessIdentity } from './process-identity.ts'

const serverFileSchema = z.object({
  /** Number of the Sheaf process that owns the directory. */
  pid: z.int().positive(),
  /** When that process began, in the opaque form of `ProcessIdentity`. */
  pidStarted: z.string(),
  bootId: z.string(),
  host: z.string(),
  /** ISO 8601 */
  startedAt: z.string(),
  socketDirectory: z.string().nullable(),
  /** The number in the name of the socket file. */
  port: z.int().nullable(),
  postmasterPid: z.int().positive().nullable(),
  /** The shell that stops PostgreSQL when its Sheaf is gone, with its beginning. */
  watcherPid: z.int().positive().nullable(),
  watcherStarted: z.string().nullable(),
  /** Where the HTTP server listens, e.g. `http://127.0.0.1:3000`; null until it does. */
  httpAddress: z.string().nullable(),
})

/** `server.json` (0600) in the data directory: what another process must know about the running server. */
export type ServerFile = z.infer<typeof serverFileSchema>

export const serverFilePath = (dataDir: string): string => join(dataDir, 'server.json')

/** The file as it stands, or null when there is none or it is damaged. Other errors of the file system are thrown. */
export function loadServerFile(dataDir: string): ServerFile | null {
  let text: string
  try {
    text = readFileSync(serverFilePath(dataDir), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    return serverFileSchema.parse(JSON.parse(text))
  } catch {
    return null
  }
}

export function writeServerFile(dataDir: string, content: ServerFile): void {
  replaceFile(serverFilePath(dataDir), `${JSON.stringify(content, null, 2)}\n`)
}

export function removeServerFile(dataDir: string): void {
  rmSync(serverFilePath(dataDir), { force: true })
}

export function ownerOf(file: ServerFile): ProcessIdentity {
  return { pid: file.pid, started: file.pidStarted, bootId: file.bootId, host: file.host }
}

/** Whether the shell that would stop PostgreSQL still lives. */
export async function isWatcherAlive(file: ServerFile): Promise<boolean> {
  if (file.watcherPid === null || file.watcherStarted === null) return false
  return isProcessAlive({ ...ownerOf(file), pid: file.watcherPid, started: file.watcherStarted })
}

/**
 * Reads `server.json`. `alive` says whether exactly the named Sheaf process lives on this machine (number, beginning,
 * boot id and host name agree). Null when there is no readable file.
 */
export async function readServerFile(dataDir: string): Promise<(ServerFile & { alive: boolean }) | null> {
  const file = loadServerFile(dataDir)
  return file === null ? null : { ...file, alive: await isProcessAlive(ownerOf(file)) }
}

/** Changes fields of `server.json` in one step. Only the Sheaf that owns the directory may call it. */
export async function updateServerFile(dataDir: string, patch: Partial<ServerFile>): Promise<void> {
  const file = loadServerFile(dataDir)
  if (file === null) throw new Error(`${serverFilePath(dataDir)} is missing`)
  writeServerFile(dataDir, serverFileSchema.parse({ ...file, ...patch }))
}
