import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import pg from 'pg'

const FOLDER = new URL('./migrations/', import.meta.url)
// 'sheaf' in ASCII, so that the lock is recognised in pg_locks
const MIGRATION_LOCK = '495874171238'

/** The database was made by a newer Sheaf. */
export class NewerSchemaError extends Error {
  override readonly name = 'NewerSchemaError'
}

export interface Migration {
  version: number
  name: string
  sql: string
  sha256: string
}

/** The shipped migrations in order; 0000 holds the roles and is not counted. */
export async function shippedMigrations(): Promise<{ roles: string; migrations: Migration[] }> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort()
  const files = await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, FOLDER), 'utf8')
      return { version: Number(name.slice(0, 4)), name, sql, sha256: createHash('sha256').update(sql).digest('hex') }
    }),
  )
  const roles = files.find((file) => file.version === 0)
  if (!roles) throw new Error('migrations/0000_roles.sql is missing')
  return { roles: roles.sql, migrations: files.filter((file) => file.version > 0) }
}

/**
 * Brings the database to the newest schema, forward only, each step in one transaction, one migrator at a time.
 * `login` sets the password of sheaf_login where the program owns the server. Throws NewerSchemaError.
 */
export async function migrate(connection: pg.ClientConfig, login?: { password: string }): Promise<number> {
  const { roles, migrations } = await shippedMigrations()
  const client = new pg.Client(connection)
  client.on('error', () => {}) // a query in progress reports it
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
    const applied = await appliedVersion(client)
    const newest = migrations.at(-1)?.version ?? 0
    if (applied > newest) {
      throw new NewerSchemaError(
        `The database has schema version ${applied}, this Sheaf knows up to ${newest}: start a newer Sheaf on it.`,
      )
    }
    if (applied === newest) return newest
    await retryWhileRacing(() => client.query(`begin; ${roles}; commit`), client)
    if (login) await setLoginPassword(client, login.password)
    for (const step of migrations.filter((one) => one.version > applied)) await apply(client, step)
    return newest
  } finally {
    await client.end()
  }
}

async function appliedVersion(client: pg.Client): Promise<number> {
  const table = await client.query("select to_regclass('sheaf.schema_migrations') as name")
  if (!table.rows[0].name) return 0
  // a program that logs in as sheaf_login may look, but not migrate
  const owner = await client.query("select pg_has_role('sheaf_owner', 'member') as is_member")
  await client.query(
    owner.rows[0].is_member ? 'begin; set local role sheaf_owner' : 'begin; set local role sheaf_system',
  )
  const { rows } = await client.query('select coalesce(max(version), 0) as version from sheaf.schema_migrations')
  await client.query('commit')
  return rows[0].version
}

/** ALTER ROLE takes no parameters, so the value goes by a setting of the session and is quoted by the server. */
async function setLoginPassword(client: pg.Client, password: string): Promise<void> {
  await client.query("select set_config('sheaf.login_password', $1, false)", [password])
  await client.query(
    "do $$ begin execute format('alter role sheaf_login password %L', current_setting('sheaf.login_password')); end $$",
  )
  await client.query('reset sheaf.login_password')
}

/** Roles belong to the whole server: another database may be creating them in this moment. */
async function retryWhileRacing(work: () => Promise<unknown>, client: pg.Client): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await work()
      return
    } catch (error) {
      await client.query('rollback')
      const raced = /tuple concurrently updated|already exists|duplicate key/.test(String(error))
      if (!raced || tries === 20) throw error
    }
  }
}

async function apply(client: pg.Client, step: Migration): Promise<void> {
  await client.query('begin; set local role sheaf_owner; set local search_path = sheaf, pg_temp')
  try {
    await client.query(step.sql)
    await client.query('insert into schema_migrations (version, name, sha256) values ($1, $2, $3)', [
      step.version,
      step.name,
      step.sha256,
    ])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  }
}
