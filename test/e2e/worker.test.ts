import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createZstdDecompress } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Reading } from '../../src/core/index.ts'
import { runDoctor } from '../../src/doctor/index.ts'
import { requestDeletion, startRun } from '../../src/intake/index.ts'
import { retryDocuments } from '../../src/queue/index.ts'
import { jobsOf } from '../support/batch.ts'
import { openWorkbench, type FilledBatch, type Workbench } from '../support/workbench.ts'
import { writeZip } from '../support/zip-writer.ts'

describe('a worker', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await openWorkbench()
    await bench.startWorker()
  })
  afterAll(() => bench.close())

  const states = async (batch: FilledBatch): Promise<string[]> =>
    (await jobsOf(bench.test, { ...batch, documents: [] })).map((job) => job.state)
  const healthy = async (batch: FilledBatch): Promise<void> => {
    expect(await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })).toEqual({
      healthy: true,
      findings: [],
    })
  }

  it('reads text, Markdown, HTML and CSV and ends the batch with a summary', async () => {
    const batch = await bench.batchOf({
      'a.txt': 'One line.\n\nAnother paragraph of plain text.',
      'b.md': '# Title\n\n- first\n- second\n',
      'c.html': '<h1>Hello</h1><p>World of HTML</p>',
      'd.csv': 'name,amount\nalpha,1\nbeta,2\n',
    })
    const row = await bench.ended(batch)
    expect(row).toMatchObject({ status: 'completed', intake: 'closed', revision: 1 })
    expect(row['summary']).toMatchObject({ counters: { total: 4, succeeded: 4 }, errors: { top: [] } })
    const result = await bench.test.admin.query(
      'select blob_key from sheaf.results r join sheaf.documents d on d.id = r.document_id where r.batch_id = $1 order by d.position',
      [batch.id],
    )
    const reading = JSON.parse(
      await text((await bench.store.get(result.rows[0].blob_key)).pipe(createZstdDecompress())),
    ) as Reading
    expect(reading).toMatchObject({ schema: 'sheaf.document/1', path: 'a.txt', mediaType: 'text/plain' })
    expect(reading.text).toContain('Another paragraph')
    await healthy(batch)
  })

  it('keeps the other documents unharmed by a file of no known type', async () => {
    const batch = await bench.batchOf({ 'good.txt': 'fine text', 'bad.bin': Buffer.from([0, 1, 2, 3, 255, 254, 0, 7]) })
    const row = await bench.ended(batch)
    expect(row).toMatchObject({ status: 'partial' })
    expect(row['summary']).toMatchObject({ errors: { categories: [{ category: 'unsupported', documents: 1 }] } })
    await healthy(batch)
  })

  it('ends as failed, not as completed, when every document failed', async () => {
    const batch = await bench.batchOf({ 'bad.pdf': '%PDF-1.7 and then nothing that is one' })
    expect(await bench.ended(batch)).toMatchObject({ status: 'failed' })
  })

  it('reads the members of an archive as documents of their own, and a repeated content once', async () => {
    const inner = writeZip([{ name: 'deep/two.txt', content: Buffer.from('two') }])
    const archive = writeZip([
      { name: 'one.txt', content: Buffer.from('one') },
      { name: 'again.txt', content: Buffer.from('one') },
      { name: 'inner.zip', content: inner },
    ])
    const batch = await bench.batchOf({ 'pack.zip': archive })
    expect(await bench.ended(batch)).toMatchObject({ status: 'completed' })
    const { rows } = await bench.test.admin.query(
      'select path, position, duplicate_of is not null as repeats from sheaf.documents where batch_id = $1 order by position',
      [batch.id],
    )
    expect(rows).toEqual([
      { path: 'pack.zip', position: [1], repeats: false },
      { path: 'pack.zip/one.txt', position: [1, 1], repeats: false },
      { path: 'pack.zip/again.txt', position: [1, 2], repeats: true },
      { path: 'pack.zip/inner.zip', position: [1, 3], repeats: false },
      { path: 'pack.zip/inner.zip/deep/two.txt', position: [1, 3, 1], repeats: false },
    ])
    const counts = await bench.test.database.asUser(batch.context, (tx) =>
      tx.execute(sql`select total_files, total_documents from batch_processing_status where batch_id = ${batch.id}`),
    )
    expect(counts.rows).toEqual([{ total_files: 1, total_documents: 5 }])
    await healthy(batch)
  })

  it('does not read a content again in a second run, and keeps both runs readable', async () => {
    const batch = await bench.batchOf({ 'a.txt': 'read me once', 'b.txt': 'read me once' })
    await bench.ended(batch)
    expect(
      await startRun(bench.test.database, batch.context, batch.id, { pipeline: { limits: { documentSeconds: 5 } } }),
    ).toBe(2)
    expect(await bench.ended(batch)).toMatchObject({ status: 'completed', run_number: 2 })
    const { rows } = await bench.test.admin.query(
      "select run_number, blob_key from sheaf.results where batch_id = $1 and stage = 'parse' order by run_number",
      [batch.id],
    )
    expect(rows.map((row) => row.run_number)).toEqual([1, 2])
    expect(rows[0].blob_key).toBe(rows[1].blob_key)
    const jobs = await bench.test.admin.query(
      "select run_number, state, parse_ms from sheaf.jobs where batch_id = $1 and kind = 'document' order by run_number, id",
      [batch.id],
    )
    expect(jobs.rows.map((row) => row.state)).toEqual(['succeeded', 'skipped', 'succeeded', 'skipped'])
    expect(jobs.rows[2].parse_ms).toBeNull()
    await healthy(batch)
  })

  it('retries what failed as a new generation and finalises the batch again', async () => {
    const batch = await bench.batchOf({ 'ok.txt': 'text', 'bad.bin': Buffer.from([0, 1, 2, 3]) })
    expect(await bench.ended(batch)).toMatchObject({ status: 'partial', revision: 1 })
    expect(await retryDocuments(bench.test.database, batch.context, batch.id, {})).toEqual({ matched: 1, retried: 1 })
    expect(await bench.ended(batch)).toMatchObject({ status: 'partial', revision: 2 })
    const { rows } = await bench.test.admin.query(
      "select data ->> 'revision' as revision from sheaf.events where batch_id = $1 and type = 'batch.completed' order by entry",
      [batch.id],
    )
    expect(rows).toEqual([{ revision: '1' }, { revision: '2' }])
    expect(await states(batch)).toEqual(['succeeded', 'failed'])
    await healthy(batch)
  })

  it('deletes a batch with everything derived from it, and leaves what another batch shares', async () => {
    const context = await bench.test.workspace()
    const shared = await bench.batchOf({ 'shared.txt': 'kept by the other batch' }, { context })
    const batch = await bench.batchOf(
      { 'shared.txt': 'kept by the other batch', 'own.txt': 'CANARY of the deleted one' },
      { context },
    )
    await bench.ended(shared)
    await bench.ended(batch)
    await requestDeletion(bench.test.database, context, batch.id, null)
    const receipt = await waitFor(
      async () =>
        (
          await bench.test.admin.query(
            'select receipt from sheaf.deletions where batch_id = $1 and completed_at is not null',
            [batch.id],
          )
        ).rows[0]?.receipt,
    )
    expect(receipt).toMatchObject({
      rows: { batches: 1, documents: 2, results: 2 },
      left: { batches: 0, documents: 0, jobs: 0, results: 0, events: 0 },
      blobs: { sources: 1, derived: 1 },
    })
    await healthy(shared)
    const stored: string[] = []
    for await (const object of bench.store.list(`${context.workspaceId}/`)) stored.push(object.key)
    expect(stored).toHaveLength(2)
  })

  it('leaves no temporary file behind', async () => {
    const batch = await bench.batchOf({
      'x.txt': 'temporary',
      'y.zip': writeZip([{ name: 'm.txt', content: Buffer.from('member') }]),
    })
    await bench.ended(batch)
    const left = (await readdir(join(bench.folder, 'worker-0'), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile(),
    )
    expect(left).toEqual([])
  })
})

async function waitFor<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setImmediate(resolve))
  }
}
