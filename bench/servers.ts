import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedServer } from '../src/database/embedded/index.ts'
import { connectDatabase, migrate, type Database } from '../src/database/index.ts'

/** A PostgreSQL server of this run. All have the settings of the embedded one: fsync and synchronous_commit are on. */
export interface BenchServer {
  /** E.g. "PostgreSQL 18.4, embedded". */
  name: string
  isEmbedded: boolean
  connection: { host: string; port: number; user: string; password: string }
  /** A new empty database; returns its URL. It disappears with `dropDatabases`. */
  createDatabase(template?: string): Promise<string>
  /** A new database with our schema. */
  openDatabase(): Promise<BenchDatabase>
  /** So that no round pays for what another one wrote. */
  checkpoint(): Promise<void>
  dropDatabases(): Promise<void>
  stop(): Promise<void>
}

export interface BenchDatabase {
  database: Database
  url: string
  /** A connection as the administrator. */
  admin: pg.Client
  close(): Promise<void>
}

const DEBIAN_15 = '/usr/lib/postgresql/15/bin'
const TEMPLATE = 'bench_template'

/** Starts Debian's PostgreSQL 15 where it is installed. */
export async function startDebianServer(): Promise<BenchServer | null> {
  return existsSync(join(DEBIAN_15, 'postgres')) ? startServer(DEBIAN_15) : null
}

export function startBundledServer(): Promise<BenchServer> {
  return startServer(null)
}

async function startServer(folder: string | null): Promise<BenchServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sheaf-measure-'))
  const server = await startEmbeddedServer({ dataDir, ...(folder !== null && { binaryFolders: [folder] }) })
  const connection = { host: server.socketDirectory, port: server.port, ...server.superuser }
  const admin = new pg.Client({ ...connection, database: 'postgres' })
  await admin.connect()
  await admin.query(`create database ${TEMPLATE}`)
  await migrate({ ...connection, database: TEMPLATE })
  const { rows } = await admin.query<{ server_version: string }>('show server_version')
  const version = rows[0]!.server_version.split(' ')[0]!
  const names: string[] = []
  let made = 0
  const createDatabase = async (template = 'template1'): Promise<string> => {
    const name = `bench_${++made}`
    names.push(name)
    await admin.query(`create database ${name} template ${template}`)
    return `postgres://${connection.user}:${encodeURIComponent(connection.password)}@/${name}?host=${encodeURIComponent(connection.host)}&port=${connection.port}`
  }
  return {
    name: `PostgreSQL ${version}, ${folder === null ? 'embedded' : 'Debian'}`,
    isEmbedded: folder === null,
    connection,
    createDatabase,
    openDatabase: async () => open(await createDatabase(TEMPLATE)),
    checkpoint: async () => void (await admin.query('checkpoint')),
    dropDatabases: async () => {
      for (const name of names.splice(0)) await admin.query(`drop database ${name}`)
    },
    stop: async () => {
      await admin.end()
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function open(url: string): Promise<BenchDatabase> {
  const admin = new pg.Client({ connectionString: url })
  admin.on('error', () => {}) // the server stops before the connection when a bench fails
  await admin.connect()
  await admin.query('set search_path = sheaf, public')
  const database = connectDatabase({ url })
  return {
    database,
    url,
    admin,
    close: async () => {
      await database.close()
      await admin.end()
    },
  }
}
