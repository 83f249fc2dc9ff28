import { sql } from './drizzle.ts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, testServers, type TestDatabase } from '../../test/support/database.ts'
import { newId } from '../core/index.ts'
import { batches } from './index.ts'

describe.each(testServers())('access to the data on PostgreSQL $name', (server) => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createTestDatabase(server)
  })
  afterAll(() => test.close())

  it('shows a workspace its own rows and nothing of another', async () => {
    const [a, b] = [await test.workspace(), await test.workspace()]
    await test.database.asUser(a, (tx) =>
      tx.insert(batches).values({ workspaceId: a.workspaceId, id: newId(), name: 'mine' }),
    )
    expect(await test.database.asUser(a, (tx) => tx.select().from(batches))).toHaveLength(1)
    expect(await test.database.asUser(b, (tx) => tx.select().from(batches))).toHaveLength(0)
    const updated = await test.database.asUser(b, (tx) => tx.update(batches).set({ name: 'stolen' }))
    expect(updated.rowCount).toBe(0)
  })

  it('refuses a row that is written for another workspace', async () => {
    const [a, b] = [await test.workspace(), await test.workspace()]
    const write = test.database.asUser(a, (tx) =>
      tx.insert(batches).values({ workspaceId: b.workspaceId, id: newId(), name: 'planted' }),
    )
    await expect(write).rejects.toMatchObject({ cause: { message: expect.stringContaining('row-level security') } })
  })

  it.each(['documents', 'results', 'blobs', 'exports', 'idempotency_keys'])(
    'keeps the content of %s from the system role',
    async (table) => {
      const read = test.database.asSystem('doctor', (tx) => tx.execute(sql`select * from ${sql.identifier(table)}`))
      await expect(read).rejects.toMatchObject({ cause: { message: expect.stringContaining('permission denied') } })
    },
  )

  it('gives the login no right outside a transaction of asUser or asSystem', async () => {
    await test.admin.query('set role sheaf_login')
    await expect(test.admin.query('select * from sheaf.batches')).rejects.toThrow('permission denied')
    await test.admin.query('reset role')
  })

  it('runs a transaction again that another one has overtaken', async () => {
    let tries = 0
    const result = await test.database.asSystem('lease', async (tx) => {
      tries++
      await tx.execute(
        sql`do $$ begin if ${sql.raw(String(tries))} < 3 then raise exception 'again' using errcode = '40001'; end if; end $$`,
      )
      return tries
    })
    expect(result).toBe(3)
  })
})
