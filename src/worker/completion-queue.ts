import { setImmediate as turnEnd, setTimeout as pause } from 'node:timers/promises'
import { failpoint, toSheafError, type Logger } from '../core/index.ts'
import type { Database } from '../database/index.ts'
import { completeJobs, judgeFailure, settleBatch, type Completion, type Failure } from '../queue/index.ts'

export interface CompletionQueueOptions {
  database: Database
  worker: number
  log: Logger
  /** How many leases the worker holds, those that wait here included. */
  held(): number
  /** Called after each group was written (or given up), whatever became of it. */
  onWritten(completions: readonly Completion[]): void
  /** Batches of which this worker still holds documents: their end comes with one of those. */
  unfinishedBatches(): ReadonlySet<string | null>
}

/** So many documents are gathered for one transaction, for so long at most. */
const GATHER = 16
const GATHER_MS = 20
const PAUSE_MS = 250
const RETRY_SECONDS = 2
/** A group is tried so often as a whole, then each of it alone, then as an internal failure. */
const TRIES_TOGETHER = 3
const TRIES = 6

/**
 * Writes ended attempts in groups: while one group is being written the next one gathers, so that the slower the disk,
 * the larger the groups. After a group its batches are settled.
 */
export class CompletionQueue {
  readonly #options: CompletionQueueOptions
  #waiting: Completion[] = []
  #writing: Promise<void> | null = null
  #toSettle = new Map<string, string>()
  #settling: Promise<void> | null = null

  constructor(options: CompletionQueueOptions) {
    this.#options = options
  }

  add(completion: Completion): void {
    this.#waiting.push(completion)
    this.#write()
  }

  /** Whether the attempt has ended and only waits to be written. */
  holds(jobId: number): boolean {
    return this.#waiting.some((completion) => completion.lease.id === jobId)
  }

  /** Resolves when everything added so far is written and settled. */
  async drained(): Promise<void> {
    while (this.#writing || this.#settling) await (this.#writing ?? this.#settling)
  }

  #write(): void {
    if (this.#writing || this.#waiting.length === 0) return
    this.#writing = this.#writeWaiting()
  }

  async #writeWaiting(): Promise<void> {
    await this.#gather()
    const group = this.#waiting
    this.#waiting = []
    try {
      await this.#writeGroup(group)
    } finally {
      this.#writing = null
      this.#options.onWritten(group)
      this.#write()
      this.#settle()
    }
  }

  /** Documents that end within moments of each other share a transaction; what nobody follows is written at once. */
  async #gather(): Promise<void> {
    await turnEnd() // else the first of many that end together is written alone
    const until = performance.now() + GATHER_MS
    const isWorthIt = (): boolean =>
      this.#waiting.length < GATHER &&
      this.#waiting.length < this.#options.held() &&
      this.#waiting.every(({ lease }) => lease.kind === 'document')
    while (isWorthIt() && performance.now() < until) await pause(GATHER_MS / 5)
  }

  async #writeGroup(group: Completion[]): Promise<void> {
    for (const [workspaceId, completions] of Map.groupBy(group, ({ lease }) => lease.workspaceId)) {
      await this.#complete(workspaceId, completions)
      await Promise.all(completions.flatMap(({ outcome }) => outcome.cleanup?.().catch(() => {}) ?? []))
    }
  }

  async #complete(workspaceId: string, completions: Completion[], tries = 1): Promise<void> {
    const { database, worker, log } = this.#options
    try {
      failpoint('before-complete')
      await completeJobs(database, workspaceId, worker, completions)
      failpoint('after-complete')
      for (const { lease } of completions)
        if (lease.kind === 'document') this.#toSettle.set(lease.batchId!, workspaceId)
    } catch (error) {
      log.warn({ err: error, tries }, 'completing failed')
      await pause(PAUSE_MS)
      await this.#completeAgain(workspaceId, completions, tries + 1, error)
    }
  }

  /** One of the group may be what the database refuses, so after some tries each is written for itself. */
  async #completeAgain(workspaceId: string, completions: Completion[], tries: number, error: unknown): Promise<void> {
    if (tries > TRIES) return // the lease runs out and somebody else takes it
    if (tries <= TRIES_TOGETHER) return this.#complete(workspaceId, completions, tries)
    if (completions.length === 1)
      return this.#complete(
        workspaceId,
        completions.map((one) => asInternalFailure(one, error)),
        tries,
      )
    for (const completion of completions) await this.#complete(workspaceId, [completion], TRIES_TOGETHER)
  }

  #settle(): void {
    if (this.#settling || this.#toSettle.size === 0) return
    const unfinished = this.#options.unfinishedBatches()
    const batches = [...this.#toSettle].filter(([batchId]) => !unfinished.has(batchId))
    this.#toSettle.clear()
    if (batches.length === 0) return
    this.#settling = this.#settleAll(batches).finally(() => {
      this.#settling = null
      if (!this.#writing) this.#settle()
    })
  }

  async #settleAll(batches: [string, string][]): Promise<void> {
    for (const [batchId, workspaceId] of batches) {
      await settleBatch(this.#options.database, workspaceId, batchId).catch((error: unknown) =>
        this.#options.log.warn({ err: error }, 'settling failed; the sweeper will see to it'),
      )
    }
  }
}

/**
 * The attempt ends as an error of ours and is tried again as any other. Work of the program itself (finalising,
 * deleting) has nobody who could retry it, so it waits for whatever is away as long as it takes.
 */
export function asInternalFailure({ lease, outcome }: Completion, error: unknown): Completion {
  const { code } = toSheafError(error)
  const failure: Failure = {
    code,
    stage: outcome.stage,
    detail: 'The results could not be saved.',
    ...(lease.kind !== 'document' && { waitingFor: 'storage' }),
  }
  const verdict = judgeFailure(failure, lease, { baseSeconds: RETRY_SECONDS, random: Math.random(), at: new Date() })
  return { lease, outcome: { state: verdict.state, stage: outcome.stage, error: verdict.error, verdict } }
}
