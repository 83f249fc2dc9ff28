import { setTimeout as delay } from 'node:timers/promises'
import { hasEnded, readBatch, type Batch } from '../client/batches.ts'
import type { Connection } from '../connect.ts'
import { duration, needPassword, type Terminal } from '../terminal.ts'

/** The longer it lasts, the less a moment matters: a look after every 2 % of the time so far, within bounds. */
const LOOK = { share: 0.02, leastMs: 50, mostMs: 250 }
/** The rate is that of the last seconds, so that it follows what happens now; it says nothing before some have passed. */
const RATE_SECONDS = { most: 10, least: 2 }
const BAR = 20

export interface FollowOptions {
  terminal: Terminal
  /** How many files have been sent of how many, while files are sent. */
  sending?: () => { sent: number; files: number }
  signal: AbortSignal
}

/** Watches a batch until it has ended, and shows how far it is. Rejects with an AbortError when the signal fires. */
export async function followBatch(connection: Connection, batchId: string, options: FollowOptions): Promise<Batch> {
  const rate = measureRate()
  const began = performance.now()
  for (;;) {
    const batch = await readBatch(connection, batchId)
    if (hasEnded(batch)) {
      options.terminal.clearProgress()
      return batch
    }
    if (options.terminal.isWatched)
      options.terminal.progress(progressLine(batch, rate(processed(batch)), options.sending?.() ?? null))
    const pause = Math.min(LOOK.mostMs, Math.max(LOOK.leastMs, (performance.now() - began) * LOOK.share))
    await delay(pause, undefined, { signal: options.signal })
  }
}

/** Documents of which nothing more is to be done unless a person asks. */
export function processed({ counters }: Pick<Batch, 'counters'>): number {
  return counters.total - counters.received - counters.queued - counters.running - counters.retryWait
}

function progressLine(batch: Batch, perSecond: number | null, sending: { sent: number; files: number } | null): string {
  const { counters } = batch
  const done = processed(batch)
  const total = Math.max(counters.total, sending?.files ?? 0)
  const filled = total === 0 ? 0 : Math.floor((BAR * done) / total)
  const parts = [
    `[${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}] ${done.toLocaleString('en-US')} of ${total.toLocaleString('en-US')}`,
    ...(sending && sending.sent < sending.files ? [`${sending.sent.toLocaleString('en-US')} sent`] : []),
    ...(perSecond
      ? [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s`, `${duration(Math.ceil((total - done) / perSecond), 0)} left`]
      : []),
    ...(counters.failed > 0 ? [`${counters.failed} failed`] : []),
    ...(counters.needsInput > 0 ? [needPassword(counters.needsInput)] : []),
    ...(counters.retryWait > 0 ? [`${counters.retryWait} wait for a retry`] : []),
    ...(['paused', 'cancelling', 'finalizing'].includes(batch.status) ? [batch.status] : []),
  ]
  return parts.join(' · ')
}

/** Takes the number of documents done so far, gives documents per second over the last seconds; null while it is too early to tell. */
function measureRate(): (done: number) => number | null {
  const samples: { at: number; done: number }[] = []
  return (done) => {
    const at = performance.now() / 1000
    samples.push({ at, done })
    while (samples.length > 2 && at - samples[0]!.at > RATE_SECONDS.most) samples.shift()
    const first = samples[0]!
    return at - first.at >= RATE_SECONDS.least && done > first.done ? (done - first.done) / (at - first.at) : null
  }
}
