import { isDeepStrictEqual } from 'node:util'
import { ERRORS, type ErrorCode } from '../src/core/index.ts'
import { sql, type Transaction } from '../src/database/index.ts'
import { createBatch, UNLIMITED } from '../src/intake/index.ts'
import { foldDeltas } from '../src/queue/index.ts'
import { calm, circumstances, median, milliseconds, number, table, verdict } from './measure.ts'
import { plainStatus } from './plain-status.ts'
import { createWorkspace } from './queued-batch.ts'
import { startBundledServer, startDebianServer, type BenchDatabase, type BenchServer } from './servers.ts'

const DOCUMENTS = 1_000_000
const GROUP = 50_000
const READS = 100
const LIMIT_MS = 10
const CODES: readonly ErrorCode[] = [
  'bad_pdf',
  'parser_timeout',
  'parser_crash',
  'internal',
  'bad_zip',
  'password_wrong',
]

interface Place {
  workspaceId: string
  userId: null
  batchId: string
}

/** All 19 columns of a large batch by the view, beside the plain aggregate over its rows; they must be equal. */
export async function benchStatus(): Promise<string> {
  const rows: string[][] = []
  for (const server of [await startDebianServer(), await startBundledServer()]) {
    if (!server) continue
    try {
      rows.push(...(await onServer(server)))
    } finally {
      await server.stop()
    }
  }
  return [
    '### Status: batch_processing_status',
    `${number(DOCUMENTS)} documents, 1 % failed, ${READS} reads of all 19 columns in a transaction of their own each. ${circumstances()}`,
    table(['server and state', 'plain aggregate', 'median', '95th of 100', '19 columns equal', 'median'], rows),
  ].join('\n\n')
}

async function onServer(server: BenchServer): Promise<string[][]> {
  const bench = await server.openDatabase()
  const context = await createWorkspace(bench)
  const batchId = await bench.database.asUser(context, (tx) =>
    createBatch(tx, context, { name: 'bench', pipeline: {} }, UNLIMITED),
  )
  const place: Place = { workspaceId: context.workspaceId, userId: null, batchId }
  for (let from = 0; from < DOCUMENTS; from += GROUP) await asUser(bench, place, (tx) => addJobs(tx, place, from))
  await bench.admin.query('analyze')
  for (let from = 0; from < DOCUMENTS; from += GROUP) await asUser(bench, place, (tx) => endJobs(tx, place, from))
  await fold(bench)
  await bench.admin.query('vacuum analyze')
  const ended = await measure(bench, place, `${server.name}, all ended`)
  // one in fifty is queued again, as after a retry, and some of them run
  await asUser(bench, place, (tx) =>
    tx.execute(
      sql`update jobs set state = 'queued', ended_at = null, error = null, error_code = null, error_category = null where id % 50 = 7`,
    ),
  )
  await asUser(bench, place, (tx) =>
    tx.execute(sql`update jobs set state = 'running', leased_by = 1 where id % 5000 = 7`),
  )
  await fold(bench)
  const under = await measure(bench, place, `${server.name}, 2 % unfinished`)
  await bench.close()
  return [ended, under]
}

async function asUser(bench: BenchDatabase, place: Place, work: (tx: Transaction) => Promise<unknown>): Promise<void> {
  await bench.database.asUser(place, work)
}

async function fold(bench: BenchDatabase): Promise<void> {
  while ((await foldDeltas(bench.database)) > 0);
}

async function addJobs(tx: Transaction, { workspaceId, batchId }: Place, from: number): Promise<void> {
  await tx.execute(sql`
    insert into jobs (workspace_id, kind, batch_id, run_number, document_id, is_member, state, vt)
    select ${workspaceId}::uuid, 'document', ${batchId}::uuid, 1, gen_random_uuid(), i % 10 = 3, 'queued', i
    from generate_series(${from + 1}::integer, ${from + GROUP}::integer) i`)
}

/** Ends a group as a worker does, in two updates with the triggers on; every hundredth document fails. */
async function endJobs(tx: Transaction, { workspaceId }: Place, from: number): Promise<void> {
  const errors = CODES.map((code) => ({ code, category: ERRORS[code].category, message: ERRORS[code].message }))
  const error = sql`(${JSON.stringify(errors)}::jsonb -> ((id / 100) % ${errors.length}::integer)::integer)`
  const isFailed = sql`id % 100 = 0`
  await tx.execute(sql`
    update jobs set state = 'running', attempt = 1, attempts_used = 1 + (id % 997 = 0)::integer, leased_by = 1, started_at = clock_timestamp()
    where workspace_id = ${workspaceId} and id > ${from} and id <= ${from + GROUP}`)
  await tx.execute(sql`
    update jobs set state = case when ${isFailed} then 'failed' else 'succeeded' end, leased_by = null, ended_at = clock_timestamp(),
      error = case when ${isFailed} then ${error} end, error_code = case when ${isFailed} then ${error} ->> 'code' end,
      error_category = case when ${isFailed} then ${error} ->> 'category' end
    where workspace_id = ${workspaceId} and id > ${from} and id <= ${from + GROUP}`)
}

async function measure(bench: BenchDatabase, place: Place, name: string): Promise<string[]> {
  const read = (tx: Transaction) =>
    tx.execute(sql`select * from batch_processing_status where batch_id = ${place.batchId}`)
  await calm()
  const plainMs = await milliseconds(() => bench.database.asUser(place, (tx) => tx.execute(plainStatus(place.batchId))))
  const times: number[] = []
  for (let i = 0; i < READS; i++) times.push(await milliseconds(() => bench.database.asUser(place, read)))
  const differing = await bench.database.asUser(
    place,
    async (tx) => differences((await read(tx)).rows[0]!, (await tx.execute(plainStatus(place.batchId))).rows[0]!),
    { snapshot: true },
  )
  const middle = median(times)
  return [
    name,
    `${number(plainMs)} ms`,
    `${number(middle, 1)} ms`,
    `${number(times.toSorted((a, b) => a - b)[Math.floor(READS * 0.95)]!, 1)} ms`,
    differing.length === 0 ? 'yes ✔' : `no ✘: ${differing.join(', ')}`,
    verdict(middle < LIMIT_MS, `< ${LIMIT_MS} ms`),
  ]
}

/** Columns that are not equal. Both come from one transaction, so that `now()` is the same in both. */
function differences(view: Record<string, unknown>, plain: Record<string, unknown>): string[] {
  const columns = Object.keys(view)
  if (columns.length !== 19) return [`${columns.length} columns`]
  return columns.filter((column) => !isDeepStrictEqual(view[column], plain[column]))
}
