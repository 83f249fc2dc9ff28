import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  cancelBatch,
  claimJobs,
  completeJobs,
  enqueueDue,
  foldDeltas,
  heartbeat,
  judgeFailure,
  pauseBatch,
  registerWorker,
  releaseLeases,
  resumeBatch,
  retryDocuments,
  settleBatch,
  settleForgotten,
  takeOver,
  type Lease,
  type Outcome,
  type Registration,
} from '../../src/queue/index.ts'
import { batchRow, countersTwice, jobsOf, queuedBatch } from '../support/batch.ts'
import { createTestDatabase, testServers, type TestDatabase } from '../support/database.ts'

const KINDS = ['document']
const good: Outcome = { state: 'succeeded', stage: 'save', error: null }

function failure(
  lease: Lease,
  code: 'bad_pdf' | 'parser_timeout' | 'parser_crash' | 'internal',
  childDied = false,
): Outcome {
  const verdict = judgeFailure({ code, stage: 'parse', childDied }, lease, {
    baseSeconds: 0,
    random: 0,
    at: new Date(),
  })
  return { state: verdict.state, stage: 'parse', error: verdict.error, verdict }
}

describe.each(testServers())('the queue on PostgreSQL $name', (server) => {
  let test: TestDatabase
  const registered: Registration[] = []
  beforeAll(async () => {
    test = await createTestDatabase(server)
  })
  afterAll(() => test.close())
  afterEach(async () => {
    for (const registration of registered.splice(0)) await registration.release()
    await test.admin.query(
      'delete from sheaf.workspaces; delete from sheaf.workers; update sheaf.queue_clock set vt = 0',
    )
  })
  const worker = async (): Promise<number> => {
    const registration = await registerWorker(test.database)
    registered.push(registration)
    return registration.number
  }
  const claim = (by: number, limit: number): Promise<Lease[]> => claimJobs(test.database, by, limit, KINDS)

  it('gives every document to one worker only, however many claim at the same time', async () => {
    const batch = await queuedBatch(test, 200)
    const workers = await Promise.all([worker(), worker(), worker(), worker()])
    const leases = (await Promise.all(workers.flatMap((one) => [claim(one, 30), claim(one, 30)]))).flat()
    expect(new Set(leases.map((lease) => lease.documentId)).size).toBe(leases.length)
    expect(leases.length).toBe(200)
    expect((await jobsOf(test, batch)).every((job) => job.state === 'running' && job.attempt === 1)).toBe(true)
  })

  it('takes a batch of five behind five thousand among the first', async () => {
    const context = await test.workspace()
    await queuedBatch(test, 5000, { context })
    const by = await worker()
    const first = await claim(by, 8)
    await completeJobs(
      test.database,
      context.workspaceId,
      by,
      first.map((lease) => ({ lease, outcome: good })),
    )
    const small = await queuedBatch(test, 5)
    const next = await claim(by, 12)
    expect(next.filter((lease) => lease.batchId === small.id)).toHaveLength(5)
  })

  it('does not let nine batches of one workspace crowd out the one of another', async () => {
    const many = await test.workspace()
    for (let i = 0; i < 9; i++) await queuedBatch(test, 30, { context: many })
    const lone = await queuedBatch(test, 30)
    const leases = await claim(await worker(), 30)
    const share = leases.filter((lease) => lease.batchId === lone.id).length
    // a tenth of 30 if batches were all that counts
    expect(share).toBeGreaterThanOrEqual(7)
  })

  it('takes higher priority first', async () => {
    await queuedBatch(test, 20, { priority: 'low' })
    const urgent = await queuedBatch(test, 3, { priority: 'urgent' })
    const leases = await claim(await worker(), 3)
    expect(leases.map((lease) => lease.batchId)).toEqual([urgent.id, urgent.id, urgent.id])
  })

  it('leaves jobs of an unknown kind alone', async () => {
    const batch = await queuedBatch(test, 1)
    await test.admin.query(
      `insert into sheaf.jobs (workspace_id, kind, priority) values ('${batch.context.workspaceId}', 'from-the-future', 3)`,
    )
    const leases = await claim(await worker(), 10)
    expect(leases).toHaveLength(1)
    const { rows } = await test.admin.query("select state, attempt from sheaf.jobs where kind = 'from-the-future'")
    expect(rows).toEqual([{ state: 'queued', attempt: 0 }])
  })

  describe('the fence', () => {
    it.each([
      [
        'complete',
        async (by: number, stale: Lease) =>
          (await completeJobs(test.database, stale.workspaceId, by, [{ lease: stale, outcome: good }])).size,
      ],
      [
        'fail',
        async (by: number, stale: Lease) =>
          (
            await completeJobs(test.database, stale.workspaceId, by, [
              { lease: stale, outcome: failure(stale, 'bad_pdf') },
            ])
          ).size,
      ],
      ['keep alive', async (by: number, stale: Lease) => 1 - (await heartbeat(test.database, by, [stale])).size],
      [
        'release',
        async (by: number, stale: Lease) => {
          await releaseLeases(test.database, by, [stale])
          return 0
        },
      ],
    ])('lets a stale worker not %s what another one has taken over', async (_what, act) => {
      const batch = await queuedBatch(test, 1)
      const [slow, quick] = [await worker(), await worker()]
      const [stale] = await claim(slow, 1)
      await test.admin.query("update sheaf.jobs set leased_until = now() - interval '1 second' where state = 'running'")
      expect(await takeOver(test.database)).toBe(1)
      await claim(quick, 1)
      expect(await act(slow, stale!)).toBe(0)
      expect(await jobsOf(test, batch)).toMatchObject([
        { state: 'running', attempt: 2, attempts_used: 1, leased_by: quick, worker_losses: 1 },
      ])
    })

    it('writes results only for the attempt that holds the lease', async () => {
      const batch = await queuedBatch(test, 1)
      const [slow, quick] = [await worker(), await worker()]
      const result = (words: string): Outcome => ({
        ...good,
        results: [{ stage: 'parse', blobKey: null, blobSha256: null, blobBytes: 0, data: { words } }],
      })
      const [stale] = await claim(slow, 1)
      await releaseLeases(test.database, slow, [stale!])
      const [fresh] = await claim(quick, 1)
      await completeJobs(test.database, stale!.workspaceId, slow, [{ lease: stale!, outcome: result('stale') }])
      await completeJobs(test.database, fresh!.workspaceId, quick, [{ lease: fresh!, outcome: result('fresh') }])
      await completeJobs(test.database, fresh!.workspaceId, quick, [{ lease: fresh!, outcome: result('twice') }])
      const { rows } = await test.admin.query('select data from sheaf.results where batch_id = $1', [batch.id])
      expect(rows).toEqual([{ data: { words: 'fresh' } }])
    })
  })

  it('takes over what a dead worker held, without using up the attempt', async () => {
    const batch = await queuedBatch(test, 3)
    const registration = await registerWorker(test.database)
    await claim(registration.number, 3)
    await test.admin.query(
      "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = 24239 and objid = $1",
      [registration.number],
    )
    await test.admin.query("update sheaf.workers set missing_since = clock_timestamp() - interval '1 second'")
    // the lock is taken again by the living worker's session, so what is missing here is only the row's mark
    expect(await takeOver(test.database)).toBeGreaterThanOrEqual(0)
    await registration.release()
    await test.admin.query("update sheaf.workers set missing_since = clock_timestamp() - interval '1 second'")
    await test.admin.query("update sheaf.jobs set leased_until = now() - interval '1 second' where state = 'running'")
    await takeOver(test.database)
    const jobs = await jobsOf(test, batch)
    expect(jobs.map((job) => [job.state, job.attempts_used, job.worker_losses])).toEqual(
      jobs.map(() => ['queued', 0, 1]),
    )
  })

  it("gives a stopped worker's documents back without using up their attempts", async () => {
    const batch = await queuedBatch(test, 2)
    const by = await worker()
    await releaseLeases(test.database, by, await claim(by, 2))
    expect(await jobsOf(test, batch)).toMatchObject([
      { state: 'queued', attempt: 1, attempts_used: 0 },
      { state: 'queued', attempt: 1, attempts_used: 0 },
    ])
  })

  it('tries a document at most four times, then it has failed', async () => {
    const batch = await queuedBatch(test, 1)
    const by = await worker()
    for (let attempt = 1; attempt <= 4; attempt++) {
      const [lease] = await claim(by, 1)
      expect(lease!.attemptsUsed).toBe(attempt)
      await completeJobs(test.database, lease!.workspaceId, by, [
        { lease: lease!, outcome: failure(lease!, 'internal') },
      ])
      await enqueueDue(test.database)
    }
    expect(await jobsOf(test, batch)).toMatchObject([
      { state: 'failed', attempt: 4, attempts_used: 4, error_code: 'internal' },
    ])
    const { rows } = await test.admin.query('select number, outcome from sheaf.attempts order by number')
    expect(rows).toEqual([
      { number: 1, outcome: 'failed' },
      { number: 2, outcome: 'failed' },
      { number: 3, outcome: 'failed' },
    ])
  })

  it('puts a document whose reader died twice in quarantine', async () => {
    const batch = await queuedBatch(test, 1)
    const by = await worker()
    for (let death = 1; death <= 2; death++) {
      const [lease] = await claim(by, 1)
      await completeJobs(test.database, lease!.workspaceId, by, [
        { lease: lease!, outcome: failure(lease!, 'parser_crash', true) },
      ])
      await enqueueDue(test.database)
    }
    const { rows } = await test.admin.query(
      "select state, quarantined, error_category, child_deaths from sheaf.jobs where batch_id = $1 and kind = 'document'",
      [batch.id],
    )
    expect(rows).toEqual([{ state: 'failed', quarantined: true, error_category: 'crash', child_deaths: 2 }])
  })

  it('leases nothing of a paused batch, and everything once it is resumed', async () => {
    const batch = await queuedBatch(test, 10)
    await pauseBatch(test.database, batch.context, batch.id)
    expect((await batchRow(test, batch))['status']).toBe('paused')
    const by = await worker()
    expect(await claim(by, 10)).toHaveLength(0)
    await resumeBatch(test.database, batch.context, batch.id)
    expect(await claim(by, 10)).toHaveLength(10)
  })

  it('cancels what waits and what runs, keeps what is done, and finalises', async () => {
    const batch = await queuedBatch(test, 10)
    const by = await worker()
    const [done, running] = await claim(by, 2)
    await completeJobs(test.database, batch.context.workspaceId, by, [{ lease: done!, outcome: good }])
    expect(await cancelBatch(test.database, batch.context, batch.id)).toBe(9)
    expect(await heartbeat(test.database, by, [running!])).toEqual(new Set([running!.id]))
    expect(
      (await completeJobs(test.database, batch.context.workspaceId, by, [{ lease: running!, outcome: good }])).size,
    ).toBe(0)
    expect((await batchRow(test, batch))['status']).toBe('finalizing')
    expect((await countersTwice(test, batch)).view).toMatchObject({ total: 10, succeeded: 1, cancelled: 9 })
    expect(await cancelBatch(test.database, batch.context, batch.id)).toBe(0)
  })

  it('retries exactly what the question names, as a new generation with a fresh budget', async () => {
    const batch = await queuedBatch(test, 4)
    const by = await worker()
    const leases = await claim(by, 4)
    const outcomes = [
      good,
      failure(leases[1]!, 'bad_pdf'),
      failure({ ...leases[2]!, attemptsUsed: 4 }, 'parser_timeout'),
      failure({ ...leases[3]!, attemptsUsed: 4 }, 'internal'),
    ]
    await completeJobs(
      test.database,
      batch.context.workspaceId,
      by,
      leases.map((lease, i) => ({ lease, outcome: outcomes[i]! })),
    )
    await settleBatch(test.database, batch.context.workspaceId, batch.id)
    const question = { where: { category: 'timeout' as const }, timeoutFactor: 2 }
    expect(await retryDocuments(test.database, batch.context, batch.id, { ...question, dryRun: true })).toEqual({
      matched: 1,
      retried: 0,
    })
    expect(await retryDocuments(test.database, batch.context, batch.id, question)).toEqual({ matched: 1, retried: 1 })
    const [lease] = await claim(by, 10)
    expect(lease).toMatchObject({
      documentId: leases[2]!.documentId,
      generation: 2,
      attempt: 2,
      attemptsUsed: 1,
      limitFactor: 2,
    })
    expect((await batchRow(test, batch))['status']).toBe('processing')
    const { rows } = await test.admin.query(
      'select number, generation, outcome from sheaf.attempts where job_id = $1',
      [lease!.id],
    )
    expect(rows).toEqual([{ number: 1, generation: 1, outcome: 'failed' }])
  })

  it('sends a batch whose last two documents end at the same time to its end exactly once', async () => {
    const batch = await queuedBatch(test, 2)
    const [one, two] = [await worker(), await worker()]
    const [[a], [b]] = [await claim(one, 1), await claim(two, 1)]
    await Promise.all(
      [[one, a] as const, [two, b] as const].map(async ([by, lease]) => {
        await completeJobs(test.database, batch.context.workspaceId, by, [{ lease: lease!, outcome: good }])
        await settleBatch(test.database, batch.context.workspaceId, batch.id)
      }),
    )
    await settleForgotten(test.database)
    const { rows } = await test.admin.query(
      "select count(*)::integer as n from sheaf.jobs where kind = 'finalize' and batch_id = $1",
      [batch.id],
    )
    expect(rows).toEqual([{ n: 1 }])
  })

  it('sends a batch with an open intake back to open when all it holds has ended', async () => {
    const batch = await queuedBatch(test, 1, { open: true })
    const by = await worker()
    const [lease] = await claim(by, 1)
    await completeJobs(test.database, batch.context.workspaceId, by, [{ lease: lease!, outcome: good }])
    expect(await settleBatch(test.database, batch.context.workspaceId, batch.id)).toBe('open')
  })

  it('counts the same before, while and after deltas are folded', async () => {
    const batch = await queuedBatch(test, 50)
    const by = await worker()
    const snapshots: Awaited<ReturnType<typeof countersTwice>>[] = []
    for (let i = 0; i < 5; i++) {
      const leases = await claim(by, 10)
      await Promise.all([
        completeJobs(
          test.database,
          batch.context.workspaceId,
          by,
          leases.map((lease, n) => ({ lease, outcome: n % 3 === 0 ? failure(lease, 'bad_pdf') : good })),
        ),
        foldDeltas(test.database),
        ...Array.from({ length: 3 }, async () => snapshots.push(await countersTwice(test, batch))),
      ])
    }
    snapshots.push(await countersTwice(test, batch))
    for (const { view, rows } of snapshots) expect(view).toEqual(rows)
    expect(snapshots.at(-1)!.view).toMatchObject({ total: 50, failed: 20, succeeded: 30 })
  })

  it('computes the nineteen columns as the plain aggregate does', async () => {
    const batch = await queuedBatch(test, 30)
    const by = await worker()
    const leases = await claim(by, 20)
    await completeJobs(
      test.database,
      batch.context.workspaceId,
      by,
      leases.map((lease, n) => ({
        lease,
        outcome:
          n < 5 ? failure(lease, 'bad_pdf') : n < 8 ? failure({ ...lease, attemptsUsed: 4 }, 'parser_timeout') : good,
      })),
    )
    await foldDeltas(test.database)
    const { rows } = await test.database.asUser(batch.context, (tx) =>
      tx.execute(sql`select * from batch_processing_status where batch_id = ${batch.id}`),
    )
    expect(Object.keys(rows[0]!)).toEqual([
      'batch_id',
      'batch_created_at',
      'batch_status',
      'total_files',
      'total_documents',
      'completed_count',
      'failed_count',
      'in_progress_count',
      'queued_count',
      'permanent_failures',
      'max_retries',
      'error_messages',
      'latest_error_at',
      'batch_started_at',
      'batch_completed_at',
      'processing_hours',
      'error_rate_percentage',
      'computed_status',
      'top_error_types',
    ])
    expect(rows[0]).toMatchObject({
      batch_status: 'processing',
      total_files: 30,
      total_documents: 30,
      completed_count: 12,
      failed_count: 8,
      in_progress_count: 0,
      queued_count: 10,
      permanent_failures: 8,
      batch_completed_at: null,
      error_rate_percentage: 26.67,
      computed_status: 'processing',
      error_messages: 'The PDF is damaged and cannot be opened.; Reading the document took longer than allowed.',
    })
    const top = rows[0]!['top_error_types'] as { code: string; count: number; sample_document_id: string }[]
    expect(top.map(({ code, count }) => [code, count])).toEqual([
      ['bad_pdf', 5],
      ['parser_timeout', 3],
    ])
    expect(batch.documents).toContain(top[0]!.sample_document_id)
  })
})
