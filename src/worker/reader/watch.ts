import { spawnSync, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { ReaderAnswer, ReaderMessage } from './protocol.ts'

/**
 * Why a child did not answer. A bystander's question was waiting, or about to be asked, when the child died of another
 * document's: it is asked again elsewhere and counts for nothing.
 */
export type ReaderEnd = 'crash' | 'memory' | 'timeout' | 'page_timeout' | 'aborted' | 'bystander'

export class ReaderDied extends Error {
  override readonly name = 'ReaderDied'
  readonly end: ReaderEnd
  constructor(end: ReaderEnd) {
    super(end)
    this.end = end
  }
}

export interface ReaderLimits {
  documentMs: number
  pageMs: number
  perPageMs: number
  longestMs: number
  memoryBytes: number
}

const POLL_MS = 50
const PAGE_BYTES = 4096

/** Waits for the answer to one question, and kills the child for time, memory or abortion. */
export function watchReader(child: ChildProcess, id: number, limits: ReaderLimits, signal: AbortSignal) {
  return new Promise<{ answer: ReaderAnswer; memoryBytes: number }>((resolve, reject) => {
    const began = performance.now()
    let pageBegan = began
    let allowedMs = limits.documentMs
    let cause: ReaderEnd = 'crash'
    const kill = (why: ReaderEnd): void => {
      cause = why
      child.kill('SIGKILL')
    }
    const heard = (message: ReaderMessage): void => {
      if (message.type === 'ready' || message.id !== id) return
      if (message.type === 'answer') return done(() => resolve(message))
      pageBegan = performance.now()
      if (message.total !== null)
        allowedMs = Math.min(limits.longestMs, limits.documentMs + message.total * limits.perPageMs)
    }
    const aborted = (): void => kill('aborted')
    const poll = setInterval(() => {
      const now = performance.now()
      if (now - began > allowedMs) return kill('timeout')
      if (now - pageBegan > limits.pageMs && limits.pageMs < allowedMs) return kill('page_timeout')
      void residentBytes(child.pid!).then((bytes) => {
        if (bytes > limits.memoryBytes) kill('memory')
      })
    }, POLL_MS)
    const died = (): void => done(() => reject(new ReaderDied(cause)))
    const done = (settle: () => void): void => {
      clearInterval(poll)
      child.off('message', heard)
      child.off('exit', died)
      signal.removeEventListener('abort', aborted)
      settle()
    }
    child.on('message', heard)
    signal.addEventListener('abort', aborted, { once: true })
    if (signal.aborted) aborted()
    child.once('exit', died)
  })
}

/** Resident memory of a process in bytes; 0 where it cannot be told. */
async function residentBytes(pid: number): Promise<number> {
  if (process.platform === 'linux') {
    const text = await readFile(`/proc/${pid}/statm`, 'latin1').catch(() => '')
    return Number(text.split(' ')[1] ?? 0) * PAGE_BYTES
  }
  const ps = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'latin1' })
  return Number(ps.stdout) * 1024 || 0
}
