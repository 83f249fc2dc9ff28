import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, open } from 'node:fs/promises'
import { join } from 'node:path'
import { armFailpoints, hashApiKey, makeApiKey, newId, type Config, type Logger } from '../core/index.ts'
import { type Database, openDatabase, type OpenedDatabase, sql } from '../database/index.ts'
import { loadPlan, type Plan } from '../intake/index.ts'
import { openStore, type BlobStore } from '../storage/index.ts'

/** Everything the program stands on, opened: database, storage, plan, and the first API key. */
export interface Engine {
  config: Config
  log: Logger
  opened: OpenedDatabase
  database: Database
  store: BlobStore
  storageUrl: string
  plan: Plan
  /** The key of the file `api-key`. */
  apiKey: string
  close(): Promise<void>
}

/** Opens the data directory (or DATABASE_URL and STORAGE_URL). Throws EmbeddedStartError, NewerSchemaError, SheafError. */
export async function openEngine(config: Config, log: Logger): Promise<Engine> {
  armFailpoints(config.failpoint)
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  const storageUrl = config.storageUrl ?? join(config.dataDir, 'storage')
  const [opened, store, plan] = await Promise.all([
    openDatabase({ url: config.databaseUrl, dataDir: config.dataDir, log: (line) => log.debug(line) }),
    openStore(storageUrl),
    loadPlan(config.plansFile),
  ])
  try {
    const apiKey = await firstKey(opened.database, config.dataDir)
    return {
      config,
      log,
      opened,
      database: opened.database,
      store,
      storageUrl,
      plan,
      apiKey,
      close: () => opened.close(),
    }
  } catch (error) {
    await opened.close()
    throw error
  }
}

/**
 * The key in the data directory, made at the first start together with the workspace. The file is written before the
 * row, so that a death in between leaves a key that the next start enters.
 */
async function firstKey(database: Database, dataDir: string): Promise<string> {
  const file = join(dataDir, 'api-key')
  const key = (await readFile(file, 'utf8').catch(() => '')).trim() || (await writeKey(file))
  const hash = hashApiKey(key)
  await database.asSystem('bootstrap', async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${0x5eaf_b0})`)
    const known = await tx.execute(sql`select 1 from api_keys where hash = ${hash}`)
    if (known.rows.length > 0) return
    const first = await tx.execute<{ id: string }>(sql`select id from workspaces order by created_at, id limit 1`)
    const workspaceId = first.rows[0]?.id ?? newId()
    if (!first.rows[0]) await tx.execute(sql`insert into workspaces (id, name) values (${workspaceId}, 'default')`)
    await tx.execute(
      sql`insert into api_keys (workspace_id, id, name, hash) values (${workspaceId}, ${newId()}, 'first key', ${hash})`,
    )
  })
  return key
}

async function writeKey(file: string): Promise<string> {
  const key = makeApiKey()
  const temporary = `${file}.${randomBytes(4).toString('hex')}`
  const handle = await open(temporary, 'wx', 0o600)
  await handle.writeFile(`${key}\n`)
  await handle.sync()
  await handle.close()
  await rename(temporary, file)
  return key
}
