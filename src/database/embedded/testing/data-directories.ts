import { closeSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockFile } from '../file-lock.ts'
import { serverLockPath } from '../predecessor.ts'

const LAST_PROCESS_MS = 15_000

/** Hands out fresh data directories and clears them away when the tests of a file are over. */
export interface DataDirectories {
  /** A path inside a new temporary folder; the data directory itself does not exist yet. */
  make(...below: string[]): string
  /** Throws if a process of a database still lives in one of them; then removes them all. */
  clear(): Promise<void>
}

async function isDeserted(dataDir: string): Promise<boolean> {
  if (!existsSync(serverLockPath(dataDir))) return true
  const lock = await lockFile(serverLockPath(dataDir), LAST_PROCESS_MS)
  if (lock !== null) closeSync(lock)
  return lock !== null
}

export function dataDirectories(): DataDirectories {
  const made: { folder: string; dataDir: string }[] = []
  return {
    make: (...below) => {
      const folder = mkdtempSync(join(tmpdir(), 'sheaf-test-'))
      const dataDir = join(folder, ...below, 'data')
      made.push({ folder, dataDir })
      return dataDir
    },
    clear: async () => {
      for (const { folder, dataDir } of made.splice(0)) {
        if (!(await isDeserted(dataDir))) throw new Error(`PostgreSQL still runs in ${dataDir}`)
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}
