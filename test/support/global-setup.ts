import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { migrate } from '../../src/database/index.ts'
import { startEmbeddedServer } from '../../src/database/embedded/index.ts'

/** A database server the tests run against: the embedded one, and Debian's PostgreSQL 15 where it is installed. */
export interface TestServer {
  name: string
  host: string
  port: number
  user: string
  password: string
}

declare module 'vitest' {
  interface ProvidedContext {
    servers: TestServer[]
  }
}

const DEBIAN_15 = '/usr/lib/postgresql/15/bin'
export const TEMPLATE = 'sheaf_template'

/** Starts the servers once, each with a migrated template that test files copy; what it returns stops them. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-test-'))
  const wanted = [
    { name: '18', options: {} },
    ...(existsSync(join(DEBIAN_15, 'postgres')) ? [{ name: '15', options: { binaryFolders: [DEBIAN_15] } }] : []),
  ]
  const started = await Promise.all(
    wanted.map(async ({ name, options }) => {
      const embedded = await startEmbeddedServer({ dataDir: join(folder, name), ...options })
      const server: TestServer = { name, host: embedded.socketDirectory, port: embedded.port, ...embedded.superuser }
      await makeTemplate(server)
      return { server, embedded }
    }),
  )
  project.provide(
    'servers',
    started.map(({ server }) => server),
  )
  return async () => {
    await Promise.all(started.map(({ embedded }) => embedded.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}

async function makeTemplate(server: TestServer): Promise<void> {
  const client = new pg.Client({ ...server, database: 'postgres' })
  await client.connect()
  await client.query(`create database ${TEMPLATE}`)
  await client.end()
  await migrate({ ...server, database: TEMPLATE })
}
