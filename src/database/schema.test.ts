import { tables } from './drizzle.ts'

const { getTableConfig, PgTable } = tables
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import * as schema from './schema.ts'

describe('the tables as queries see them', () => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createTestDatabase()
  })
  afterAll(() => test.close())

  it('are the tables the migrations make, column by column', async () => {
    const { rows } = await test.admin.query<{ name: string; optional: boolean; table: string }>(`
      select table_name as table, column_name as name, is_nullable = 'YES' as optional from information_schema.columns c
      where table_schema = 'sheaf' and table_name in (select tablename from pg_tables where schemaname = 'sheaf') and table_name <> 'schema_migrations'`)
    const real = rows.map((row) => `${row.table}.${row.name}${row.optional ? '?' : ''}`).sort()
    const described = Object.values(schema as Record<string, unknown>)
      .filter((value): value is InstanceType<typeof PgTable> => value instanceof PgTable)
      .flatMap((table) => {
        const { name, columns } = getTableConfig(table)
        return columns.map((column) => `${name}.${column.name}${column.notNull ? '' : '?'}`)
      })
      .sort()
    expect(described).toEqual(real)
  })
})
