import { deflateSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runDoctor } from '../../src/doctor/index.ts'
import { cancelBatch } from '../../src/queue/index.ts'
import type { Worker } from '../../src/worker/index.ts'
import { jobsOf } from '../support/batch.ts'
import { openWorkbench, type FilledBatch, type Workbench } from '../support/workbench.ts'
import { writeZip } from '../support/zip-writer.ts'

describe('documents that attack their reader', () => {
  let bench: Workbench
  let worker: Worker
  beforeAll(async () => {
    bench = await openWorkbench()
    worker = await bench.startWorker({ failpoints: 'child-page:kill=poison,child-start:hang=slow' })
  })
  afterAll(() => bench.close())

  const outcome = async (
    batch: FilledBatch,
  ): Promise<
    Record<
      string,
      { state: string; code: string | null; category: string | null; quarantined: boolean; attempt: number }
    >
  > => {
    const { rows } = await bench.test.admin.query(
      `select d.path, j.state, j.error_code as code, j.error_category as category, j.quarantined, j.attempt
       from sheaf.jobs j join sheaf.documents d on d.id = j.document_id where j.batch_id = $1 and kind = 'document'`,
      [batch.id],
    )
    return Object.fromEntries(rows.map(({ path, ...rest }) => [path, rest]))
  }
  const fine = { state: 'succeeded', code: null, category: null, quarantined: false, attempt: 1 }

  it('are put in quarantine after the second death of their reader, and harm no other document', async () => {
    const batch = await bench.batchOf({ 'a.txt': 'healthy a', 'poison.txt': 'kills its reader', 'b.txt': 'healthy b' })
    expect(await bench.ended(batch)).toMatchObject({ status: 'partial' })
    expect(await outcome(batch)).toEqual({
      'a.txt': fine,
      'b.txt': fine,
      'poison.txt': { state: 'failed', code: 'parser_crash', category: 'crash', quarantined: true, attempt: 2 },
    })
    expect(await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })).toEqual({
      healthy: true,
      findings: [],
    })
  })

  it('are stopped at the deadline, tried once more with twice the time, and given up', async () => {
    const batch = await bench.batchOf(
      { 'slow.txt': 'never ends', 'c.txt': 'healthy c' },
      { pipeline: { limits: { documentSeconds: 1.5 } } },
    )
    await bench.ended(batch)
    expect(await outcome(batch)).toMatchObject({
      'c.txt': fine,
      'slow.txt': { state: 'failed', code: 'parser_timeout', category: 'timeout', attempt: 2, quarantined: false },
    })
  })

  it('free their reader within two seconds when the batch is cancelled', async () => {
    const batch = await bench.batchOf({ 'slow-1.txt': 'never ends 1', 'slow-2.txt': 'never ends 2' })
    await running(bench, batch, 2)
    const before = worker.readerPids
    const began = performance.now()
    await cancelBatch(bench.test.database, batch.context, batch.id)
    const next = await bench.batchOf({ 'after.txt': 'runs at once' })
    expect(await bench.ended(next)).toMatchObject({ status: 'completed' })
    expect(performance.now() - began).toBeLessThan(2000)
    expect(await bench.ended(batch)).toMatchObject({ status: 'cancelled' })
    for (const pid of before) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  })

  it('are refused when they unpack to more than is allowed, before anything is written', async () => {
    const bomb = deflateSync(Buffer.alloc(64 * 1024 * 1024)).subarray(2, -4)
    const zip = writeZip([{ name: 'zeros', raw: { method: 8, bytes: bomb }, declared: { bytes: 10 * 2 ** 30 } }])
    const liar = writeZip([{ name: 'liar', raw: { method: 8, bytes: bomb }, declared: { bytes: 1000 } }])
    const batch = await bench.batchOf({ 'bomb.zip': zip, 'liar.zip': liar, 'd.txt': 'healthy d' })
    await bench.ended(batch)
    const limits = { state: 'failed', code: 'archive_limits', category: 'archive_limits', attempt: 1 }
    expect(await outcome(batch)).toMatchObject({ 'bomb.zip': limits, 'liar.zip': limits, 'd.txt': fine })
  })
})

describe('a document that makes its reader take memory without end', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await openWorkbench()
    await bench.startWorker({ failpoints: 'child-page:bloat=fat' })
  })
  afterAll(() => bench.close())

  it('ends as parser_memory, and the others are read', async () => {
    const batch = await bench.batchOf({ 'fat.txt': 'takes memory', 'thin.txt': 'healthy' })
    expect(await bench.ended(batch)).toMatchObject({ status: 'partial' })
    expect((await jobsOf(bench.test, { ...batch, documents: [] })).map((job) => [job.state, job.error_code])).toEqual([
      ['failed', 'parser_memory'],
      ['succeeded', null],
    ])
  })
})

/** Waits until `count` documents of the batch run. */
async function running(bench: Workbench, batch: FilledBatch, count: number): Promise<void> {
  while (
    (await jobsOf(bench.test, { ...batch, documents: [] })).filter((job) => job.state === 'running').length < count
  );
}
