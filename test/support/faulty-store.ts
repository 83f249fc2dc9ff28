import type { BlobStore, StagedBlob } from '../../src/storage/index.ts'

export interface FaultPlan {
  /** The call that fails, from 1. */
  failAt: number
  /** How many calls in a row fail. */
  times: number
  error: () => Error
}

export interface FaultyStore {
  store: BlobStore
  /** Calls so far. */
  calls(): number
  /** Whether the plan came to its turn. */
  hit(): boolean
}

/** A store in which the n-th call that writes or reads fails, whichever it is. */
export function faultyStore(inner: BlobStore, plan: FaultPlan): FaultyStore {
  let calls = 0
  let hits = 0
  const turn = (): void => {
    calls++
    if (calls < plan.failAt || calls >= plan.failAt + plan.times) return
    hits++
    throw plan.error()
  }
  const wrap = (staged: StagedBlob): StagedBlob => ({
    sha256: staged.sha256,
    bytes: staged.bytes,
    commit: async (key) => {
      turn()
      await staged.commit(key)
    },
    discard: () => staged.discard(),
  })
  const store: BlobStore = {
    ...inner,
    stage: async (content, options) => {
      turn()
      return wrap(await inner.stage(content, options))
    },
    adopt: async (file) => {
      turn()
      return wrap(await inner.adopt(file))
    },
    materialise: async (key, path) => {
      turn()
      await inner.materialise(key, path)
    },
    delete: async (key) => {
      turn()
      return inner.delete(key)
    },
  }
  return { store, calls: () => calls, hit: () => hits > 0 }
}
