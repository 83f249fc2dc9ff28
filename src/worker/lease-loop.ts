import { setTimeout as pause } from 'node:timers/promises'
import { failpoint, type Logger } from '../core/index.ts'
import type { Database } from '../database/index.ts'
import {
  claimJobs,
  heartbeat,
  registerWorker,
  releaseLeases,
  type Completion,
  type Lease,
  type Outcome,
  type Registration,
} from '../queue/index.ts'
import { asInternalFailure, CompletionQueue } from './completion-queue.ts'

/** Works on one lease. Must not throw for anything a document can do; `signal` fires when the lease is lost. */
export type Handler = (lease: Lease, signal: AbortSignal) => Promise<Outcome>

export interface LeaseLoopOptions {
  database: Database
  handlers: Readonly<Record<string, Handler>>
  /** Leases worked on at the same time. */
  slots: number
  log: Logger
  /** Loads what handlers need for a group of new leases, before the first of them is begun. */
  prepare?: (leases: readonly Lease[]) => Promise<void>
  /** Takes at most so many leases in all, then only finishes. */
  maxLeases?: number
}

const POLL_MS = 1000
const HEARTBEAT_MS = 10_000
/** Leases are taken for about this much work, so that a batch that arrives later is not far behind. */
const PREFETCH_MS = 50
const LARGEST_CLAIM = 1000
/** How much of the earlier groups stays in the speed that was measured. */
const SPEED_MEMORY = 0.8
/** A longer time without work says nothing about speed. */
const LONGEST_GAP_MS = 1000
const PAUSE_AFTER_FAULT_MS = 250

interface Held {
  lease: Lease
  abort: AbortController
  begun: boolean
}

/** Registers this process as a worker and starts to take leases. */
export async function startLeaseLoop(options: LeaseLoopOptions): Promise<LeaseLoop> {
  const loop = new LeaseLoop(options, await registerWorker(options.database))
  await loop.start()
  return loop
}

/** The heart of a worker: claims, hands out, completes in groups, heartbeats. */
export class LeaseLoop {
  readonly worker: number
  readonly #options: LeaseLoopOptions
  readonly #registration: Registration
  readonly #kinds: string[]
  readonly #completions: CompletionQueue
  readonly #held = new Map<number, Held>()
  readonly #waiting: Lease[] = []
  /** Leases whose attempts have ended here, and how many of them are failed for good. */
  readonly finished = { leases: 0, failed: 0 }
  #running = 0
  #taken = 0
  #stopping = false
  #claiming = false
  /** The last claim was filled, or somebody said that there is work. */
  #moreLikely = true
  /** Documents finished and the milliseconds they took, both fading with each group. */
  #speed = { finished: 0, ms: 0 }
  #lastWritten = performance.now()
  #timers: NodeJS.Timeout[] = []
  #stopListening: () => Promise<void> = () => Promise.resolve()

  constructor(options: LeaseLoopOptions, registration: Registration) {
    this.#options = options
    this.#registration = registration
    this.worker = registration.number
    this.#kinds = Object.keys(options.handlers)
    const { database, log } = options
    this.#completions = new CompletionQueue({
      database,
      log,
      worker: this.worker,
      onWritten: (group) => this.#written(group),
      held: () => this.#held.size,
      unfinishedBatches: () => new Set(this.#held.values().map(({ lease }) => lease.batchId)),
    })
  }

  async start(): Promise<void> {
    this.#stopListening = await this.#options.database.listen(['sheaf_work', 'sheaf_cancel'], (channel) => {
      if (channel === 'sheaf_cancel') return this.#beat()
      this.#moreLikely = true
      this.#claim()
    })
    this.#timers = [setInterval(() => this.#claim(), POLL_MS), setInterval(() => this.#beat(), HEARTBEAT_MS)]
    this.#claim()
  }

  /** Resolves when `maxLeases` were taken and finished, or nothing was left to do for `milliseconds`. */
  async untilIdle(milliseconds: number): Promise<void> {
    const { maxLeases } = this.#options
    for (;;) {
      const finished = maxLeases !== undefined && this.#taken >= maxLeases
      const idle = performance.now() - this.#lastWritten > milliseconds && !this.#claiming
      if (this.#held.size === 0 && (finished || idle)) return this.#completions.drained()
      await pause(20)
    }
  }

  /** Takes no more leases, gives running ones `graceMs`, and the rest back without using up their attempts. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true
    for (const timer of this.#timers.slice(0, 1)) clearInterval(timer)
    const deadline = performance.now() + graceMs
    while ((this.#running > 0 || this.#claiming) && performance.now() < deadline) await pause(10)
    await this.#completions.drained()
    const unfinished = [...this.#held.values()]
    const leases = unfinished.map((entry) => entry.lease)
    await releaseLeases(this.#options.database, this.worker, leases).catch((error: unknown) =>
      this.#options.log.warn({ err: error }, 'releasing failed; others take over'),
    )
    for (const entry of unfinished) entry.abort.abort()
    this.#timers.forEach(clearInterval)
    await this.#stopListening()
    await this.#registration.release()
  }

  /** How many more leases to take: about PREFETCH_MS of work, at least the free slots. */
  #wanted(): number {
    const { slots, maxLeases = Infinity } = this.#options
    const goal = Math.max(
      slots,
      Math.min(LARGEST_CLAIM, Math.ceil((this.#speed.finished / Math.max(1, this.#speed.ms)) * PREFETCH_MS)),
    )
    const lowWater = Math.max(1, goal / 4)
    if (this.#waiting.length >= lowWater) return 0
    return Math.min(goal - this.#waiting.length, maxLeases - this.#taken)
  }

  #claim(): void {
    const limit = this.#wanted()
    if (this.#claiming || this.#stopping || limit <= 0) return
    this.#claiming = true
    void this.#take(limit)
      .catch(async (error: unknown) => {
        this.#options.log.warn({ err: error }, 'claiming failed')
        await pause(PAUSE_AFTER_FAULT_MS)
      })
      .finally(() => {
        this.#claiming = false
        if (this.#moreLikely) this.#claim()
      })
  }

  async #take(limit: number): Promise<void> {
    const leases = await claimJobs(this.#options.database, this.worker, limit, this.#kinds)
    failpoint('after-claim')
    this.#moreLikely = leases.length === limit
    this.#taken += leases.length
    for (const lease of leases) this.#held.set(lease.id, { lease, abort: new AbortController(), begun: false })
    await this.#prepare(leases)
    this.#waiting.push(...leases)
    this.#begin()
  }

  /** What cannot be prepared is given back at once: nobody would begin it. */
  async #prepare(leases: readonly Lease[]): Promise<void> {
    if (leases.length === 0) return
    try {
      await this.#options.prepare?.(leases)
    } catch (error) {
      for (const lease of leases) this.#forget(lease)
      await releaseLeases(this.#options.database, this.worker, leases)
      throw error
    }
  }

  #begin(): void {
    while (this.#running < this.#options.slots && this.#waiting.length > 0 && !this.#stopping) {
      const lease = this.#waiting.shift()!
      const entry = this.#held.get(lease.id)
      if (!entry || entry.lease !== lease) continue
      entry.begun = true
      this.#running++
      void this.#work(lease, entry.abort.signal)
    }
  }

  async #work(lease: Lease, signal: AbortSignal): Promise<void> {
    const outcome = await this.#options.handlers[lease.kind]!(lease, signal).catch((error: unknown) =>
      this.#unforeseen(lease, error),
    )
    this.#running--
    if (signal.aborted) await this.#drop(lease, outcome)
    else this.#completions.add({ lease, outcome })
    this.#begin()
    if (this.#moreLikely) this.#claim()
  }

  /** The lease was lost while the work went on: nobody will refer to what it made. */
  async #drop(lease: Lease, outcome: Outcome): Promise<void> {
    this.#forget(lease)
    await outcome.cleanup?.().catch(() => {})
  }

  #unforeseen(lease: Lease, error: unknown): Outcome {
    this.#options.log.error({ err: error, job: lease.id, kind: lease.kind }, 'a handler failed')
    return asInternalFailure({ lease, outcome: { state: 'failed', stage: 'save', error: null } }, error).outcome
  }

  #written(group: readonly Completion[]): void {
    for (const { lease, outcome } of group) {
      this.#forget(lease)
      this.finished.leases++
      if (outcome.state === 'failed') this.finished.failed++
    }
    const now = performance.now()
    // the sums fade, not their quotient: the mean of quotients is far too high where groups differ
    this.#speed.finished = this.#speed.finished * SPEED_MEMORY + group.length
    this.#speed.ms = this.#speed.ms * SPEED_MEMORY + Math.min(LONGEST_GAP_MS, now - this.#lastWritten)
    this.#lastWritten = now
    if (this.#moreLikely) this.#claim()
  }

  #forget(lease: Lease): void {
    if (this.#held.get(lease.id)?.lease === lease) this.#held.delete(lease.id)
  }

  /** Renews the leases, and stops the work on those that were lost: cancelled, or taken over. */
  #beat(): void {
    const leases = [...this.#held.values()].map((entry) => entry.lease)
    heartbeat(this.#options.database, this.worker, leases).then(
      (lost) => {
        for (const lease of leases.filter((one) => lost.has(one.id) && !this.#completions.holds(one.id)))
          this.#lose(lease)
      },
      (error: unknown) => this.#options.log.warn({ err: error }, 'the heartbeat failed'),
    )
  }

  #lose(lease: Lease): void {
    const entry = this.#held.get(lease.id)
    if (entry?.lease !== lease) return
    entry.abort.abort()
    if (!entry.begun) this.#forget(lease)
  }
}
