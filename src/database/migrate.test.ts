import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { testServers } from '../../test/support/database.ts'
import { migrate, NewerSchemaError, shippedMigrations } from './migrate.ts'

describe.each(testServers())('migrations on PostgreSQL $name', (server) => {
  const made: string[] = []
  const run = async (text: string, database = 'postgres'): Promise<pg.QueryResult> => {
    const client = new pg.Client({ ...server, database })
    await client.connect()
    try {
      return await client.query(text)
    } finally {
      await client.end()
    }
  }
  const emptyDatabase = async (): Promise<pg.ClientConfig> => {
    const database = `migrate_${randomBytes(4).toString('hex')}`
    await run(`create database ${database}`)
    made.push(database)
    return { ...server, database }
  }
  afterEach(async () => {
    for (const database of made.splice(0)) await run(`drop database ${database} with (force)`)
  })

  it('let one of two migrators wait, and both end well', async () => {
    const connection = await emptyDatabase()
    const newest = (await shippedMigrations()).migrations.at(-1)!.version
    expect(await Promise.all([migrate(connection), migrate(connection), migrate(connection)])).toEqual([
      newest,
      newest,
      newest,
    ])
    const { rows } = await run('select count(*)::integer as n from sheaf.schema_migrations', connection.database!)
    expect(rows[0].n).toBe(newest)
  })

  it('refuse in one line a database that a newer program has migrated', async () => {
    const connection = await emptyDatabase()
    await migrate(connection)
    await run(
      "insert into sheaf.schema_migrations (version, name, sha256) values (9999, 'of the future', '')",
      connection.database!,
    )
    const refused = await migrate(connection).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(NewerSchemaError)
    expect((refused as Error).message).toMatch(
      /^The database has schema version 9999, .*: start a newer Sheaf on it\.$/,
    )
  })

  it('do nothing the second time', async () => {
    const connection = await emptyDatabase()
    await migrate(connection)
    const before = await run('select * from sheaf.schema_migrations', connection.database!)
    await migrate(connection)
    expect((await run('select * from sheaf.schema_migrations', connection.database!)).rows).toEqual(before.rows)
  })
})
