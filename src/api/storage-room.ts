import { SheafError } from '../core/index.ts'
import type { BlobStore } from '../storage/index.ts'

const FLOOR_BYTES = 512 * 1024 * 1024
const FLOOR_SHARE = 0.05
const TRUSTED_MS = 1000

export interface StorageRoom {
  /** Throws no_space below the floor, and what the store says when it does not answer. */
  assertRoom(): Promise<void>
}

/** Looks whether the store answers and has space, at most once a second however many ask. */
export function createStorageRoom(store: BlobStore, floor?: number): StorageRoom {
  let looked: { at: number; probe: ReturnType<BlobStore['probe']> } | null = null
  return {
    assertRoom: async () => {
      if (!looked || performance.now() - looked.at > TRUSTED_MS)
        looked = { at: performance.now(), probe: store.probe() }
      const { freeBytes, totalBytes } = await looked.probe
      if (freeBytes === null) return
      // on a small disk 512 MB may be all of it, so there the share counts
      const least = floor ?? Math.min(FLOOR_BYTES, (totalBytes ?? Infinity) * FLOOR_SHARE)
      if (freeBytes < least) throw new SheafError('no_space', `Less than ${Math.round(least / 1e6)} MB are free.`)
    },
  }
}
