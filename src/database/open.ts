import type pg from 'pg'
import { openPool, type Database } from './database.ts'
import { startEmbeddedServer, type EmbeddedServer } from './embedded/index.ts'
import { migrate } from './migrate.ts'

export interface OpenedDatabase {
  database: Database
  /** The server Sheaf started itself, null with DATABASE_URL. */
  embedded: EmbeddedServer | null
  /** How another process of the same Sheaf connects. */
  connection: DatabaseConnection
  close(): Promise<void>
}

/** Connection settings that can be handed to a child process. */
export interface DatabaseConnection {
  url?: string
  socketDirectory?: string
  port?: number
  password?: string
}

const POOL_SIZE = 12

/** Opens the database of DATABASE_URL, or starts the embedded server in the data directory; migrates either. */
export async function openDatabase(options: {
  url: string | null
  dataDir: string
  log?: (line: string) => void
}): Promise<OpenedDatabase> {
  if (options.url) {
    await migrate({ connectionString: options.url })
    return opened({ url: options.url }, null)
  }
  const embedded = await startEmbeddedServer({ dataDir: options.dataDir, ...(options.log && { log: options.log }) })
  try {
    const socket = { host: embedded.socketDirectory, port: embedded.port, database: 'postgres' }
    await migrate(
      { ...socket, user: embedded.superuser.user, password: embedded.superuser.password },
      { password: embedded.loginPassword },
    )
    return opened(
      { socketDirectory: embedded.socketDirectory, port: embedded.port, password: embedded.loginPassword },
      embedded,
    )
  } catch (error) {
    await embedded.stop()
    throw error
  }
}

function opened(connection: DatabaseConnection, embedded: EmbeddedServer | null): OpenedDatabase {
  const database = connectDatabase(connection)
  return {
    database,
    embedded,
    connection,
    close: async () => {
      await database.close()
      await embedded?.stop()
    },
  }
}

/** Connects to a database that another process of this Sheaf has opened and migrated. */
export function connectDatabase(connection: DatabaseConnection, poolSize: number = POOL_SIZE): Database {
  return openPool(clientConfig(connection), poolSize)
}

function clientConfig(connection: DatabaseConnection): pg.ClientConfig {
  if (connection.url) return { connectionString: connection.url }
  return {
    host: connection.socketDirectory!,
    port: connection.port!,
    user: 'sheaf_login',
    password: connection.password!,
    database: 'postgres',
  }
}
