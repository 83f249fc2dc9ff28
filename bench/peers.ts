import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { createLog } from '../src/core/index.ts'
import { startLeaseLoop, startMaintenance } from '../src/worker/index.ts'
import { calm, milliseconds, until } from './measure.ts'
import { createWorkspace, queueBatch } from './queued-batch.ts'
import type { BenchServer } from './servers.ts'

/** Handlers at work at the same time, for every queue that has handlers. */
export const CONCURRENCY = 24

/**
 * Queues `jobs` empty jobs in a fresh database, then measures from the start of the worker until all of them are ended
 * in the database and the worker has stopped. Returns jobs/s.
 */
export type QueueRound = (server: BenchServer, jobs: number) => Promise<number>

/** Our queue as the product runs it: the lease loop with all of a worker's maintenance beside it. */
export const sheaf: QueueRound = async (server, jobs) => {
  await server.checkpoint()
  const bench = await server.openDatabase()
  const { database } = bench
  const context = await createWorkspace(bench)
  await queueBatch(bench, context, jobs)
  await bench.admin.query('vacuum analyze')
  await calm()
  const log = createLog('warn')
  const elapsed = await milliseconds(async () => {
    let done = 0
    const stopMaintenance = await startMaintenance(database, log)
    const loop = await startLeaseLoop({
      database,
      log,
      slots: CONCURRENCY,
      handlers: {
        document: () => {
          done++
          return Promise.resolve({ state: 'succeeded', stage: 'save', error: null })
        },
      },
    })
    await until(() => done >= jobs, 'the last document')
    await loop.stop(10_000)
    await stopMaintenance()
  })
  await expectLeft(bench.admin, `select count(*) from jobs where kind = 'document' and state <> 'succeeded'`)
  await bench.close()
  return jobs / (elapsed / 1000)
}

/** graphile-worker with the settings of the table in its own documentation (docs/performance). */
export const graphile: QueueRound = async (server, jobs) => {
  const { makeWorkerUtils, run } = await import('graphile-worker')
  await server.checkpoint()
  const url = await server.createDatabase()
  const utils = await makeWorkerUtils({ connectionString: url })
  await utils.migrate()
  for (let from = 0; from < jobs; from += 5000)
    await utils.addJobs(
      Array.from({ length: Math.min(5000, jobs - from) }, (_, i) => ({
        identifier: 'empty',
        payload: { id: from + i },
      })),
    )
  await utils.release()
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query('vacuum analyze')
  await calm()
  const elapsed = await milliseconds(async () => {
    let done = 0
    const runner = await run({
      preset: {
        worker: {
          connectionString: url,
          concurrentJobs: CONCURRENCY,
          maxPoolSize: CONCURRENCY + 1,
          localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      logger: await silentLogger(),
      noHandleSignals: true,
      taskList: {
        empty: () => {
          done++
          return Promise.resolve()
        },
      },
    })
    await until(() => done >= jobs, 'the last job of graphile-worker')
    await runner.stop()
  })
  await expectLeft(admin, 'select count(*) from graphile_worker.jobs')
  await admin.end()
  return jobs / (elapsed / 1000)
}

async function silentLogger() {
  const { Logger } = await import('graphile-worker')
  return new Logger(() => () => {})
}

const BOSS_LOOPS = 4
const BOSS_BATCH = 500

/** pg-boss: several loops of fetch and complete with batches; its `work()` polls at most twice a second. */
export const boss: QueueRound = async (server, jobs) => {
  const { default: PgBoss } = await import('pg-boss')
  await server.checkpoint()
  const url = await server.createDatabase()
  const queue = new PgBoss({ connectionString: url, max: BOSS_LOOPS + 2, schedule: false })
  queue.on('error', (error) => console.error(error))
  await queue.start()
  await queue.createQueue('empty')
  for (let from = 0; from < jobs; from += 5000)
    await queue.insert(
      Array.from({ length: Math.min(5000, jobs - from) }, (_, i) => ({ name: 'empty', data: { id: from + i } })),
    )
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query('vacuum analyze')
  await calm()
  const loop = async (): Promise<void> => {
    for (;;) {
      const fetched = await queue.fetch('empty', { batchSize: BOSS_BATCH })
      if (fetched.length === 0) return
      await queue.complete(
        'empty',
        fetched.map((job) => job.id),
      )
    }
  }
  const elapsed = await milliseconds(() => Promise.all(Array.from({ length: BOSS_LOOPS }, loop)))
  await expectLeft(admin, `select count(*) from pgboss.job where name = 'empty' and state <> 'completed'`)
  await queue.stop({ graceful: false })
  await admin.end()
  return jobs / (elapsed / 1000)
}

const PGBENCH = ['/usr/lib/postgresql/15/bin/pgbench', '/usr/bin/pgbench']
const PGBENCH_CLIENTS = 8
/** One statement takes and ends a job: what a queue costs that asks the database for every job. */
const PLAIN = `update plain_jobs set state = 'done', ended_at = now() where id = (
  select id from plain_jobs where state = 'queued' order by id limit 1 for update skip locked);
`

export const plainSkipLocked: QueueRound = async (server, jobs) => {
  const program = PGBENCH.find((path) => existsSync(path))
  if (!program) throw new Error('pgbench is not installed')
  await server.checkpoint()
  const url = await server.createDatabase()
  const admin = new pg.Client({ connectionString: url })
  await admin.connect()
  await admin.query(`create table plain_jobs (id bigint primary key, state text not null, ended_at timestamptz);
    create index on plain_jobs (id) where state = 'queued';
    insert into plain_jobs select i, 'queued' from generate_series(1, ${jobs}) i`)
  await admin.query('vacuum analyze')
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-measure-'))
  await writeFile(join(folder, 'plain.sql'), PLAIN)
  await calm()
  const { host, port, user, password } = server.connection
  const { stdout } = await promisify(execFile)(
    program,
    [
      '-n',
      '-M',
      'prepared',
      '-c',
      String(PGBENCH_CLIENTS),
      '-j',
      '2',
      '-t',
      String(jobs / PGBENCH_CLIENTS),
      '-f',
      join(folder, 'plain.sql'),
      '-h',
      host,
      '-p',
      String(port),
      '-U',
      user,
      new URL(url.replace('@/', '@localhost/')).pathname.slice(1),
    ],
    { env: { ...process.env, PGPASSWORD: password } },
  )
  await rm(folder, { recursive: true })
  await expectLeft(admin, `select count(*) from plain_jobs where state <> 'done'`)
  await admin.end()
  return Number(/tps = ([\d.]+)/.exec(stdout)![1])
}

/** A queue that left jobs behind, or ended too early, has not been measured. */
async function expectLeft(admin: pg.Client, question: string): Promise<void> {
  const { rows } = await admin.query<{ count: string }>(question)
  if (Number(rows[0]!.count) !== 0) throw new Error(`${rows[0]!.count} jobs were left: ${question}`)
}
