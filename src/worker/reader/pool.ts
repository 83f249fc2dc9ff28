import { lastingFailpoints } from '../../core/index.ts'
import { startReader, type ReaderProcess, type ReaderSeat } from './process.ts'
import { ReaderDied } from './watch.ts'

/** A fixed number of reader children, each with places for a few documents. */
export interface ReaderPool {
  readonly size: number
  readonly pids: number[]
  /**
   * Gives a document a place at a reader for as long as `work` goes on. While one document is read, the next ones at the
   * same reader are brought to it or carried away. When the reader dies of another document, `work` begins again.
   */
  lend<T>(signal: AbortSignal, work: (reader: ReaderSeat) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** One document is read, one is brought, one is carried away. */
export const SEATS_PER_READER = 3
/** WebAssembly memory never shrinks, so a child that has grown is replaced. */
const RECYCLE_BYTES = 350 * 1024 * 1024
const RECYCLE_QUESTIONS = 4000

interface Entry {
  reader: ReaderProcess
  seats: number
}

interface Waiting {
  take(entry: Entry): void
  fail(error: Error): void
}

export function openReaderPool(size: number, directory: string, failpoints?: string): ReaderPool {
  const entries = new Set<Entry>()
  const waiting: Waiting[] = []
  const starting = new Set<Promise<void>>()
  let armed = failpoints
  let closed = false

  const isOpen = ({ reader, seats }: Entry): boolean => isFresh(reader) && seats < SEATS_PER_READER
  /** Hands free places to those who wait, and keeps the number of readers. */
  const settle = (): void => {
    while (waiting.length > 0) {
      const [entry] = [...entries].filter(isOpen).toSorted((a, b) => a.seats - b.seats)
      if (!entry) break
      entry.seats++
      waiting.shift()!.take(entry)
    }
    for (const entry of entries) if (!isFresh(entry.reader) && entry.seats === 0) retire(entry)
    const fresh = [...entries].filter(({ reader }) => isFresh(reader)).length
    for (let missing = size - fresh - starting.size; missing > 0 && !closed; missing--) start()
  }
  const start = (): void => {
    const begun = startReader(directory, armed)
      .then(async (reader) => {
        if (closed) await reader.close()
        else entries.add({ reader, seats: 0 })
      })
      .catch((error: Error) => waiting.splice(0).forEach((one) => one.fail(error)))
      .finally(() => {
        starting.delete(begun)
        // a start that failed is tried again when somebody needs the child
        if (entries.size > 0) settle()
      })
    starting.add(begun)
    armed = lastingFailpoints(failpoints)
  }
  const retire = (entry: Entry): void => {
    entries.delete(entry)
    void entry.reader.close()
  }
  const acquire = (): Promise<Entry> =>
    new Promise((take, fail) => {
      waiting.push({ take, fail })
      settle()
    })
  const sit = async <T>(signal: AbortSignal, work: (reader: ReaderSeat) => Promise<T>): Promise<T> => {
    const entry = await acquire()
    try {
      // the wait may have outlasted the lease
      signal.throwIfAborted()
      const seat = entry.reader.seat()
      return await work(seat).finally(() => seat.leave())
    } finally {
      entry.seats--
      settle()
    }
  }
  settle()
  return {
    size,
    get pids() {
      return [...entries].map(({ reader }) => reader.pid)
    },
    lend: async (signal, work) => {
      for (;;) {
        try {
          return await sit(signal, work)
        } catch (error) {
          if (!(error instanceof ReaderDied && error.end === 'bystander')) throw error
        }
      }
    },
    close: async () => {
      closed = true
      await Promise.all(starting)
      await Promise.all([...entries].map(({ reader }) => reader.close()))
    },
  }
}

function isFresh(reader: ReaderProcess): boolean {
  return reader.alive && reader.memoryBytes < RECYCLE_BYTES && reader.served < RECYCLE_QUESTIONS
}
