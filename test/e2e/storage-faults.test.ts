import { unlink, writeFile, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SheafError } from '../../src/core/index.ts'
import { collectGarbage, runDoctor } from '../../src/doctor/index.ts'
import { closeBatch, requestDeletion } from '../../src/intake/index.ts'
import { faultyStore } from '../support/faulty-store.ts'
import { openWorkbench, type FilledBatch, type Workbench } from '../support/workbench.ts'
import { writeZip } from '../support/zip-writer.ts'

const FILES = {
  'a.txt': 'the first document of the faulty store',
  'b.md': '# The second\n\nwith a paragraph',
  'c.zip': writeZip([{ name: 'member.txt', content: Buffer.from('a member') }]),
}

describe('a storage that fails', () => {
  let bench: Workbench
  beforeEach(async () => {
    bench = await openWorkbench()
  })
  afterEach(() => bench.close())

  const jobs = async (
    batch: FilledBatch,
  ): Promise<{ path: string; state: string; used: number; code: string | null }[]> =>
    (
      await bench.test.admin.query(
        `select d.path, j.state, j.attempts_used as used, j.error_code as code from sheaf.jobs j join sheaf.documents d on d.id = j.document_id
         where j.batch_id = $1 and kind = 'document' order by d.position`,
        [batch.id],
      )
    ).rows

  it('costs no document and no attempt, whichever call it is that finds no space', async () => {
    for (let n = 1; ; n++) {
      const faulty = faultyStore(bench.store, { failAt: n, times: 2, error: () => new SheafError('no_space') })
      const worker = await bench.startWorker({ store: faulty.store, readers: 1 })
      const batch = await bench.batchOf(FILES)
      expect(await bench.ended(batch), `call ${n}`).toMatchObject({ status: 'completed' })
      expect(await jobs(batch), `call ${n}`).toEqual(
        ['a.txt', 'b.md', 'c.zip', 'c.zip/member.txt'].map((path) => ({
          path,
          state: 'succeeded',
          used: 1,
          code: null,
        })),
      )
      await worker.stop(5000)
      await collectGarbage(bench.test.database, bench.store, batch.context, { olderThanMs: 0 })
      expect(await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })).toEqual({
        healthy: true,
        findings: [],
      })
      if (!faulty.hit()) return
      expect(n).toBeLessThan(100)
    }
  })

  it('is asked again until a deletion has gone through', async () => {
    const faulty = faultyStore(bench.store, { failAt: 1, times: Infinity, error: () => new SheafError('write_failed') })
    const quiet = await bench.startWorker()
    const batch = await bench.batchOf(FILES)
    await bench.ended(batch)
    await quiet.stop()
    await requestDeletion(bench.test.database, batch.context, batch.id, null)
    const broken = await bench.startWorker({ store: faulty.store })
    while (!faulty.hit()) await new Promise((resolve) => setImmediate(resolve))
    await broken.stop(0)
    await bench.startWorker()
    for (;;) {
      const { rows } = await bench.test.admin.query(
        'select receipt from sheaf.deletions where completed_at is not null',
      )
      if (rows.length > 0) break
    }
    expect(await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })).toEqual({
      healthy: true,
      findings: [],
    })
  })

  it('that lost the bytes of a document makes it blob_missing, and never garbage text', async () => {
    const batch = await bench.batchOf({ 'lost.txt': 'bytes that will be lost', 'kept.txt': 'kept' }, { open: true })
    const [lost] = batch.files
    await unlink(blobFile(bench, batch, lost!.sha256!))
    await bench.startWorker()
    await closeBatch(bench.test.database, batch.context, batch.id)
    expect(await bench.ended(batch)).toMatchObject({ status: 'partial' })
    expect(await jobs(batch)).toMatchObject([
      { state: 'failed', code: 'blob_missing', used: 4 },
      { state: 'succeeded' },
    ])
    const { findings } = await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })
    expect(findings).toMatchObject([{ invariant: 'I6', message: 'blobs whose bytes are missing', count: 1 }])
  })

  it('that changed the bytes of a document makes it blob_corrupt', async () => {
    const batch = await bench.batchOf({ 'flipped.txt': 'bytes that will be flipped' }, { open: true })
    const file = blobFile(bench, batch, batch.files[0]!.sha256!)
    await chmod(file, 0o600)
    await writeFile(file, 'bytes that will be FLIPPED')
    await bench.startWorker()
    await closeBatch(bench.test.database, batch.context, batch.id)
    expect(await bench.ended(batch)).toMatchObject({ status: 'failed' })
    expect(await jobs(batch)).toMatchObject([{ state: 'failed', code: 'blob_corrupt' }])
  })
})

function blobFile(bench: Workbench, batch: FilledBatch, sha256: string): string {
  return join(bench.folder, 'storage', 'blobs', batch.context.workspaceId, 'source', sha256.slice(0, 1), sha256)
}
