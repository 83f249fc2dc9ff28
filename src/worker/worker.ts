import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { Database } from '../database/index.ts'
import type { Lease } from '../queue/index.ts'
import { READER_VERSION } from '../parse/index.ts'
import type { BlobStore } from '../storage/index.ts'
import { deleteBatch } from './delete-batch.ts'
import { loadDocuments, type DocumentWork } from './document-work.ts'
import { writeExport } from './export-batch.ts'
import { finalizeBatch } from './finalize.ts'
import { documentHandler } from './handle-document.ts'
import { startLeaseLoop } from './lease-loop.ts'
import { startMaintenance } from './maintenance.ts'
import { openReaderPool, SEATS_PER_READER, type ReaderPool } from './reader/pool.ts'

export interface WorkerOptions {
  database: Database
  store: BlobStore
  /** A folder of this worker alone, on the file system of a local store if there is one. */
  temporary: string
  /** Reader children: how many, or those that were started before the database was there. */
  readers: number | ReaderPool
  log: Logger
  retryBaseSeconds: number
  failpoints?: string | undefined
  /** Takes at most so many leases, then only finishes. */
  maxLeases?: number
}

export interface Worker {
  readonly number: number
  readonly readerPids: number[]
  /** Leases whose attempts have ended here, and how many of them are failed for good. */
  readonly finished: { readonly leases: number; readonly failed: number }
  untilIdle(milliseconds: number): Promise<void>
  /** Graceful: no new leases, running ones get `graceMs`, the rest goes back without using up an attempt. */
  stop(graceMs?: number): Promise<void>
}

const GRACE_MS = 25_000

/** Starts a worker: leases, reader children, maintenance. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { database, store, log } = options
  const readers =
    typeof options.readers === 'number'
      ? openReaderPool(options.readers, options.temporary, options.failpoints)
      : options.readers
  const loaded = new WeakMap<Lease, DocumentWork>()
  const document = documentHandler({
    store,
    readers,
    log,
    retryBaseSeconds: options.retryBaseSeconds,
    take: (lease) => loaded.get(lease),
  })
  const stopMaintenance = await startMaintenance(database, log)
  const loop = await startLeaseLoop({
    database,
    log,
    slots: readers.size * SEATS_PER_READER,
    handlers: {
      document,
      finalize: finalizeBatch,
      delete: (lease) => deleteBatch(lease, store),
      export: (lease) => writeExport(lease, database, store),
    },
    prepare: async (leases) => {
      for (const work of (await loadDocuments(database, leases, READER_VERSION)).values()) loaded.set(work.lease, work)
    },
    ...(options.maxLeases !== undefined && { maxLeases: options.maxLeases }),
  })
  return {
    number: loop.worker,
    finished: loop.finished,
    get readerPids() {
      return readers.pids
    },
    untilIdle: (milliseconds) => loop.untilIdle(milliseconds),
    stop: async (graceMs = GRACE_MS) => {
      await loop.stop(graceMs)
      await stopMaintenance()
      await readers.close()
      await rm(options.temporary, { recursive: true, force: true })
    },
  }
}
