import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** The middle value; of an even number of values the mean of the two in the middle. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Median of `a[i] / b[i]`: values of one round were measured one after the other, so noise that lasts cancels out. */
export function ratio(a: readonly number[], b: readonly number[]): number {
  return median(a.flatMap((value, i) => (b[i] === undefined ? [] : [value / b[i]])))
}

/** A table in Markdown; the first column is aligned left, all others right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'))
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Thousands with a comma, at most `digits` decimals. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** Smallest and largest value, e.g. "12.1–14.9". */
export function spread(values: readonly number[], digits = 0): string {
  return `${number(Math.min(...values), digits)}–${number(Math.max(...values), digits)}`
}

/** `✔` or `✘` and the figure that has to be met, for the tables. */
export function verdict(isMet: boolean, figure: string): string {
  return `${figure} ${isMet ? '✔' : '✘ missed'}`
}

const SAMPLE_MS = 250
const CALM_BUSY_SHARE = 0.35
const LONGEST_WAIT_MS = 8000

const busyBefore: number[] = []
const loads: number[] = []

/** Share of the processors' time that somebody uses right now, 0 to 1; NaN where /proc/stat is missing. */
async function busyShare(): Promise<number> {
  const before = processorTimes()
  await pause(SAMPLE_MS)
  const after = processorTimes()
  return 1 - (after.idle - before.idle) / Math.max(1, after.total - before.total)
}

function processorTimes(): { idle: number; total: number } {
  try {
    const ticks = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/).slice(1, 9).map(Number)
    return { idle: ticks[3]! + ticks[4]!, total: ticks.reduce((sum, value) => sum + value, 0) }
  } catch {
    return { idle: Number.NaN, total: 0 }
  }
}

/**
 * Waits up to 8 s until others leave most of the machine idle, and notes how busy it was when the wait ended. The load
 * average would not do: it still holds what the round before this one used.
 */
export async function calm(): Promise<void> {
  const deadline = performance.now() + LONGEST_WAIT_MS
  let busy = await busyShare()
  while (busy > CALM_BUSY_SHARE && performance.now() < deadline) busy = await busyShare()
  busyBefore.push(busy)
  loads.push(loadavg()[0]!)
}

/** One line on the machine and on how busy others kept it since the last call. */
export function circumstances(): string {
  const [first] = cpus()
  const machine = `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'}, ${number(totalmem() / 2 ** 30)} GB, ${process.platform}, Node ${process.versions.node}`
  const busy = busyBefore.splice(0).filter(Number.isFinite)
  const load = loads.splice(0)
  if (busy.length === 0) return `${machine}.`
  return `${machine}. Before the rounds others used ${number(median(busy) * 100)} % (at most ${number(Math.max(...busy) * 100)} %) of the processors; load average ${spread(load, 1)}, our own included.`
}

/** Milliseconds that `work` takes. */
export async function milliseconds(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** Polls every 2 ms; throws when `isTrue` does not become true in time. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`${what} did not come within ${timeoutMs / 1000} s`)
    await pause(2)
  }
}
