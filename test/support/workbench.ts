import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { createLog, type Pipeline } from '../../src/core/index.ts'
import type { UserContext } from '../../src/database/index.ts'
import { admitFiles, closeBatch, createBatch, UNLIMITED, type AdmittedFile } from '../../src/intake/index.ts'
import { openStore, type BlobStore } from '../../src/storage/index.ts'
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/index.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

/** Database, store and worker without HTTP: what tests of the worker need. */
export interface Workbench {
  test: TestDatabase
  store: BlobStore
  folder: string
  startWorker(options?: Partial<WorkerOptions>): Promise<Worker>
  /** A batch with these files, its intake closed unless `open`. */
  batchOf(
    files: Record<string, string | Buffer>,
    options?: { pipeline?: Pipeline; passwords?: string[]; open?: boolean; context?: UserContext },
  ): Promise<FilledBatch>
  /** Waits until the batch has ended and returns its row with the run's summary. */
  ended(batch: FilledBatch): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export interface FilledBatch {
  context: UserContext
  id: string
  files: AdmittedFile[]
}

export async function openWorkbench(): Promise<Workbench> {
  const test = await createTestDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-bench-'))
  const store = await openStore(join(folder, 'storage'))
  const workers: Worker[] = []
  return {
    test,
    store,
    folder,
    startWorker: async (options) => {
      const worker = await startWorker({
        database: test.database,
        store,
        temporary: join(folder, `worker-${workers.length}`),
        readers: 2,
        log: createLog(process.env['TEST_LOG'] ?? 'silent'),
        retryBaseSeconds: 0.05,
        ...options,
      })
      workers.push(worker)
      return worker
    },
    batchOf: async (files, options = {}) => {
      const context = options.context ?? (await test.workspace())
      const { pipeline = {}, passwords } = options
      const id = await test.database.asUser(context, (tx) =>
        createBatch(tx, context, { name: 'bench', pipeline, passwords }, UNLIMITED),
      )
      const received = await Promise.all(
        Object.entries(files).map(async ([path, content]) => ({
          path,
          staged: await store.stage(Readable.from([Buffer.from(content)])),
        })),
      )
      const admitted = await admitFiles(test.database, context, id, received, UNLIMITED)
      if (!options.open) await closeBatch(test.database, context, id)
      return { context, id, files: admitted }
    },
    ended: async (batch) => {
      for (;;) {
        const { rows } = await test.database.asUser(batch.context, (tx) =>
          tx.execute(
            sql`select b.*, r.summary, r.revision from batches b join runs r on r.batch_id = b.id and r.number = b.run_number where b.id = ${batch.id}`,
          ),
        )
        if (rows[0]?.['ended_at'] && rows[0]['ended_as']) return rows[0]
        await pause(20)
      }
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)))
      await test.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
