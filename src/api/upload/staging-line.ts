import type { ReceivedFile } from '../../intake/index.ts'

/** Files that are written to the store at once, while the next ones arrive. */
const STAGING_AT_ONCE = 8
/** Files received but not yet admitted; with more, nothing is read from the connection. */
const AHEAD = 256
/** Files admitted in one transaction. */
const GROUP = 64

/** Files between the connection and the database, in the order in which they came. */
export interface StagingLine {
  /** Adds a file that is being staged and resolves when there is room for the next; throws what the line failed with. */
  push(staging: Promise<ReceivedFile>): Promise<void>
  /** The oldest files as far as they are staged, at least one; none at the end. Throws what the line failed with. */
  take(): Promise<ReceivedFile[]>
  close(): void
  /** The first failure ends both sides. */
  fail(error: unknown): void
  /** Rejects with the first failure, and never resolves. */
  readonly failed: Promise<never>
  /** What was not taken, when all of it has been staged or failed. */
  rest(): Promise<ReceivedFile[]>
}

interface Entry {
  staging: Promise<ReceivedFile>
  staged: ReceivedFile | null
}

export function createStagingLine(): StagingLine {
  const entries: Entry[] = []
  let pending = 0
  let isClosed = false
  let failure: { error: unknown } | null = null
  let change = Promise.withResolvers<void>()
  const changed = (): void => {
    change.resolve()
    change = Promise.withResolvers<void>()
  }
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const fail = (error: unknown): void => {
    failure ??= { error }
    failed.reject(failure.error)
    changed()
  }
  const assertSound = (): void => {
    if (failure) throw failure.error
  }
  const settle = (entry: Entry): Promise<void> =>
    entry.staging
      .then((file) => {
        entry.staged = file
      }, fail)
      .finally(() => {
        pending -= 1
        changed()
      })

  return {
    push: async (staging) => {
      const entry: Entry = { staging, staged: null }
      entries.push(entry)
      pending += 1
      void settle(entry)
      while (!failure && (entries.length >= AHEAD || pending >= STAGING_AT_ONCE)) await change.promise
      assertSound()
    },
    take: async () => {
      while (!failure && !entries[0]?.staged && !(isClosed && entries.length === 0)) await change.promise
      assertSound()
      const end = entries.findIndex(({ staged }) => staged === null)
      const group = entries.splice(0, Math.min(GROUP, end === -1 ? entries.length : end))
      changed()
      return group.map(({ staged }) => staged!)
    },
    close: () => {
      isClosed = true
      changed()
    },
    fail,
    failed: failed.promise,
    rest: async () => {
      const settled = await Promise.allSettled(entries.map(({ staging }) => staging))
      return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    },
  }
}
