import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Binaries } from './binaries.ts'
import { replaceFile, syncDirectory } from './durable-files.ts'
import { runCommand } from './run-command.ts'
import type { Runner } from './runner.ts'
import { explainServerOutput, refusedError } from './start-error.ts'

const STAGING_PREFIX = 'postgres.new-'

const passwordsSchema = z.object({ postgres: z.string().min(1), sheaf_login: z.string().min(1) })

/** Passwords by role. They lie inside the database directory, so that one rename publishes both together. */
export type Passwords = z.infer<typeof passwordsSchema>

const passwordsPath = (database: string): string => join(database, 'sheaf-passwords.json')

const HBA = '# Written by Sheaf: Unix socket and password only.\nlocal all all scram-sha-256\n'

export function readPasswords(database: string): Passwords {
  const path = passwordsPath(database)
  try {
    return passwordsSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    throw refusedError(
      `The passwords of the database in ${path} are missing or damaged.`,
      'Restore that file from a backup.',
      error,
    )
  }
}

/** The major version that wrote the database; null when there is no database yet. */
export function readDataVersion(database: string): number | null {
  if (!existsSync(database) || readdirSync(database).length === 0) return null
  const path = join(database, 'PG_VERSION')
  const version = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : Number.NaN
  if (Number.isInteger(version)) return version
  throw refusedError(
    `${database} holds something that is no database.`,
    'Move it away, or choose another directory with --data.',
  )
}

/** Removes what an `initdb` that was killed has left. Call it only while the server lock is held. */
export function removeLeftovers(dataDir: string): void {
  for (const name of readdirSync(dataDir).filter((entry) => entry.startsWith(STAGING_PREFIX))) {
    rmSync(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 })
  }
}

function initdbArguments(staging: string): string[] {
  return [
    '-D',
    join(staging, 'data'),
    '-U',
    'postgres',
    `--pwfile=${join(staging, 'password')}`,
    '--locale-provider=libc',
    '--locale=C',
    '-E',
    'UTF8',
    '--auth=scram-sha-256',
    '--data-checksums',
    '--no-instructions',
  ]
}

export interface NewDatabase {
  dataDir: string
  binaries: Binaries
  runner: Runner
  /** Descriptor of the server lock; `initdb` holds it too, so that nobody starts while an orphaned one still writes. */
  lock: number
}

/**
 * Makes the database beside its final place and renames it there as the last step (initdb has synced it by then), so
 * that `postgres` is either a whole database with its passwords or not there.
 */
export async function initialiseDatabase({ dataDir, binaries, runner, lock }: NewDatabase): Promise<void> {
  const staging = mkdtempSync(join(dataDir, STAGING_PREFIX))
  const data = join(staging, 'data')
  const passwords: Passwords = {
    postgres: randomBytes(24).toString('base64url'),
    sheaf_login: randomBytes(24).toString('base64url'),
  }
  try {
    mkdirSync(data, { mode: 0o700 })
    replaceFile(join(staging, 'password'), `${passwords.postgres}\n`, runner.identity)
    const { uid, gid } = runner.identity
    if (uid !== undefined && gid !== undefined) for (const path of [staging, data]) chownSync(path, uid, gid)
    const initdb = [...runner.prefix, join(binaries.directory, 'initdb'), ...initdbArguments(staging)]
    const { code, stdout, stderr } = await runCommand(initdb, { ...runner.identity, inherit: lock })
    if (code !== 0) throw explainServerOutput(stderr || stdout, dataDir)
    replaceFile(join(data, 'pg_hba.conf'), HBA, runner.identity)
    replaceFile(passwordsPath(data), `${JSON.stringify(passwords)}\n`, runner.identity)
    renameSync(data, join(dataDir, 'postgres'))
    syncDirectory(dataDir)
  } finally {
    rmSync(staging, { recursive: true, force: true, maxRetries: 5 })
  }
}
