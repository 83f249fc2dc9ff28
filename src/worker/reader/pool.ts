import { lastingFailpoints } from '../../core/index.ts'
import { startReader, type ReaderProcess } from './process.ts'

/** A fixed number of reader children, each lent to one document at a time. */
export interface ReaderPool {
  readonly size: number
  /** Lends a child. A child that died, or has grown or served enough, is replaced before the next loan. */
  lend<T>(signal: AbortSignal, work: (reader: ReaderProcess) => Promise<T>): Promise<T>
  readonly pids: number[]
  close(): Promise<void>
}

/** WebAssembly memory never shrinks, so a child that has grown is replaced. */
const RECYCLE_BYTES = 350 * 1024 * 1024
const RECYCLE_REQUESTS = 2000

export function openReaderPool(size: number, directory: string, failpoints?: string): ReaderPool {
  const idle: ReaderProcess[] = []
  const all = new Set<ReaderProcess>()
  const waiting: { take(reader: ReaderProcess): void; fail(error: Error): void }[] = []
  const starting = new Set<Promise<void>>()
  let closed = false

  const offer = (reader: ReaderProcess): void => {
    const next = waiting.shift()
    if (next) next.take(reader)
    else idle.push(reader)
  }
  let armed = failpoints
  const start = (): void => {
    const begun = startReader(directory, armed)
      .then((reader) => {
        if (closed) return reader.close()
        all.add(reader)
        offer(reader)
        return undefined
      })
      .catch((error: Error) => waiting.shift()?.fail(error))
      .finally(() => starting.delete(begun))
    starting.add(begun)
    armed = lastingFailpoints(failpoints)
  }
  const acquire = (): Promise<ReaderProcess> => {
    const reader = idle.pop()
    if (reader) return Promise.resolve(reader)
    // a start that failed is tried again when somebody needs the child
    if (all.size + starting.size < size) start()
    return new Promise((take, fail) => waiting.push({ take, fail }))
  }
  const giveBack = (reader: ReaderProcess): void => {
    if (reader.alive && reader.memoryBytes < RECYCLE_BYTES && reader.served < RECYCLE_REQUESTS) return offer(reader)
    all.delete(reader)
    void reader.close()
    if (!closed) start()
  }
  for (let i = 0; i < size; i++) start()
  return {
    size,
    get pids() {
      return [...all].map((reader) => reader.pid)
    },
    lend: async (signal, work) => {
      const reader = await acquire()
      try {
        // the wait may have outlasted the lease
        signal.throwIfAborted()
        return await work(reader)
      } finally {
        if (reader.alive) await reader.tidy()
        giveBack(reader)
      }
    },
    close: async () => {
      closed = true
      await Promise.all(starting)
      await Promise.all([...all].map((reader) => reader.close()))
    },
  }
}
