import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, testServers, type TestDatabase } from '../../test/support/database.ts'

/**
 * The row-security linter: each query lists what would let one workspace see another's rows. A new table, view or
 * function that breaks a rule fails here, on every server the program supports.
 */
const RULES: readonly { rule: string; query: string }[] = [
  {
    rule: 'every table has row-level security enabled and forced',
    query: `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'sheaf' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)`,
  },
  {
    rule: 'every table has a policy',
    query: `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'sheaf' and c.relkind in ('r', 'p') and not exists (select from pg_policy p where p.polrelid = c.oid)`,
  },
  {
    rule: 'every policy that lets rows be written has a WITH CHECK',
    query: `select tablename || '.' || policyname from pg_policies where schemaname = 'sheaf' and cmd in ('ALL', 'INSERT', 'UPDATE') and with_check is null`,
  },
  {
    rule: 'policies of sheaf_user compare the workspace, outside of a few named ones',
    query: `select tablename || '.' || policyname from pg_policies where schemaname = 'sheaf' and 'sheaf_user' = any(roles)
      and qual not like '%app_workspace()%' and (tablename, policyname, cmd) <> ('queue_clock', 'of_everyone', 'SELECT')`,
  },
  {
    rule: 'no policy asks for a setting once for every row',
    query: `select tablename || '.' || policyname from pg_policies where schemaname = 'sheaf'
      and (qual ~ 'app_workspace\\(\\)|current_setting' and qual !~* 'select (sheaf\\.)?(app_workspace\\(\\)|current_setting)'
        or with_check ~ 'app_workspace\\(\\)|current_setting' and with_check !~* 'select (sheaf\\.)?(app_workspace\\(\\)|current_setting)')`,
  },
  {
    rule: 'every view looks with the rights of whoever asks',
    query: `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'sheaf' and c.relkind = 'v' and not coalesce(c.reloptions @> '{security_invoker=true}', false)`,
  },
  { rule: 'there is no materialized view', query: `select matviewname from pg_matviews where schemaname = 'sheaf'` },
  {
    rule: 'there is no SECURITY DEFINER function',
    query: `select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'sheaf' and p.prosecdef`,
  },
  {
    rule: 'the roles of the program are no superusers, bypass nothing and own nothing',
    query: `select rolname from pg_roles where rolname in ('sheaf_login', 'sheaf_user', 'sheaf_system', 'sheaf_auth')
        and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolinherit)
      union all select tableowner || ' owns ' || tablename from pg_tables where schemaname = 'sheaf' and tableowner <> 'sheaf_owner'
      union all select r.rolname || ' may create in ' || n.nspname from pg_roles r, pg_namespace n where r.rolname in ('sheaf_login', 'sheaf_user', 'sheaf_system')
        and n.nspname = 'sheaf' and has_schema_privilege(r.oid, n.oid, 'CREATE')`,
  },
  {
    rule: 'the login has no right on any table',
    query: `select table_name || ' ' || privilege_type from information_schema.role_table_grants where table_schema = 'sheaf' and grantee = 'sheaf_login'`,
  },
  {
    rule: 'nothing is granted to everybody',
    query: `select table_name || ' ' || privilege_type from information_schema.role_table_grants where table_schema = 'sheaf' and grantee = 'PUBLIC'
      union all select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'sheaf' and has_function_privilege('sheaf_login', p.oid, 'EXECUTE')
      union all select nspname from pg_namespace where nspname = 'sheaf' and has_schema_privilege('sheaf_login', oid, 'USAGE')`,
  },
  {
    rule: 'the system role reaches no content',
    query: `select table_name || ' ' || privilege_type from information_schema.role_table_grants where table_schema = 'sheaf' and grantee = 'sheaf_system'
      and table_name in ('documents', 'results', 'blobs', 'exports', 'idempotency_keys')`,
  },
  {
    rule: 'every tenant table has an index that begins with the workspace',
    query: `select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id'
      where n.nspname = 'sheaf' and c.relkind = 'r' and not exists (select from pg_index i where i.indrelid = c.oid and i.indkey[0] = a.attnum)`,
  },
  {
    rule: 'every unique key of a tenant table begins with the workspace, so that it tells nobody what exists elsewhere',
    query: `select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'workspace_id' where n.nspname = 'sheaf' and i.indisunique and i.indkey[0] <> a.attnum`,
  },
  {
    rule: 'every foreign key between tenant tables carries the workspace',
    query: `select conrelid::regclass || ' ' || conname from pg_constraint k join pg_namespace n on n.oid = k.connamespace
      where n.nspname = 'sheaf' and contype = 'f' and not exists (select from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any(k.conkey) and a.attname = 'workspace_id')`,
  },
]

describe.each(testServers())('row security on PostgreSQL $name', (server) => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createTestDatabase(server)
  })
  afterAll(() => test.close())

  it.each(RULES)('$rule', async ({ query }) => {
    const { rows } = await test.admin.query({ text: query, rowMode: 'array' })
    expect(rows.flat()).toEqual([])
  })

  it('finds what is planted against it', async () => {
    await test.admin.query(`
      set search_path = sheaf; create table planted (workspace_id uuid, id uuid unique);
      create view planted_view as select 1 as one; grant select on planted to public;
      create function planted_function() returns int language sql security definer as 'select 1'`)
    const found: number[] = []
    for (const { query } of RULES) found.push((await test.admin.query({ text: query, rowMode: 'array' })).rows.length)
    expect(found.filter((count) => count > 0).length).toBeGreaterThanOrEqual(7)
  })
})

describe.each(testServers())('a query without conditions as another workspace on PostgreSQL $name', (server) => {
  let test: TestDatabase
  beforeAll(async () => {
    test = await createTestDatabase(server)
    const { workspaceId } = await test.workspace()
    await test.admin.query(
      `insert into sheaf.batches (workspace_id, id, name) values ('${workspaceId}', gen_random_uuid(), 'secret')`,
    )
  })
  afterAll(() => test.close())

  it('returns no row of any table or view, reading or writing', async () => {
    const other = await test.workspace()
    const tables = await test.admin.query<{
      name: string
      kind: string
    }>(`select c.relname as name, c.relkind as kind from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'sheaf' and c.relkind in ('r', 'v') and has_table_privilege('sheaf_user', c.oid, 'SELECT') and c.relname not in ('queue_clock', 'workspaces')`)
    await test.admin.query(`begin; set local role sheaf_user; set local app.workspace_id = '${other.workspaceId}'`)
    for (const { name, kind } of tables.rows) {
      expect((await test.admin.query(`select * from sheaf.${name}`)).rowCount, name).toBe(0)
      const deleted = kind === 'r' ? (await test.admin.query(`delete from sheaf.${name}`)).rowCount : 0
      expect(deleted, name).toBe(0)
    }
    await test.admin.query('rollback')
    expect(tables.rows.length).toBeGreaterThan(10)
  })

  it('returns no row when no workspace is set', async () => {
    await test.admin.query('begin; set local role sheaf_user')
    expect((await test.admin.query('select * from sheaf.batches')).rowCount).toBe(0)
    await test.admin.query('rollback')
  })
})
