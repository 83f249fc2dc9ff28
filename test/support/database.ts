import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { sql } from 'drizzle-orm'
import { inject } from 'vitest'
import { newId } from '../../src/core/index.ts'
import { connectDatabase, type Database } from '../../src/database/index.ts'
import { TEMPLATE, type TestServer } from './global-setup.ts'

export interface TestDatabase {
  server: TestServer
  database: Database
  /** For `DATABASE_URL`. */
  url: string
  /** A connection as the administrator, for what no role of the program may do. */
  admin: pg.Client
  /** A new workspace and the context of somebody in it. */
  workspace(): Promise<{ workspaceId: string; userId: null }>
  close(): Promise<void>
}

export function testServers(): TestServer[] {
  return inject('servers')
}

/** A fresh database of its own for a test file, copied from the migrated template. */
export async function createTestDatabase(server: TestServer = testServers()[0]!): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  const maintenance = new pg.Client({ ...server, database: 'postgres' })
  await maintenance.connect()
  await maintenance.query(`create database ${name} template ${TEMPLATE}`)
  await maintenance.query(`alter database ${name} set search_path = sheaf, public`)
  const url = `postgres://${server.user}:${encodeURIComponent(server.password)}@/${name}?host=${encodeURIComponent(server.host)}&port=${server.port}`
  const database = connectDatabase({ url })
  const admin = new pg.Client({ ...server, database: name })
  await admin.connect()
  return {
    server,
    database,
    url,
    admin,
    workspace: async () => {
      const workspaceId = newId()
      await database.asSystem('bootstrap', (tx) =>
        tx.execute(sql`insert into workspaces (id, name) values (${workspaceId}, 'test')`),
      )
      return { workspaceId, userId: null }
    },
    close: async () => {
      await database.close()
      await admin.end()
      await maintenance.query(`drop database ${name} with (force)`)
      await maintenance.end()
    },
  }
}
