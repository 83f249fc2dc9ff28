import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReaderAnswer, ReaderQuestion } from './protocol.ts'
import { spawnReader, type ReaderFolders } from './spawn.ts'
import { ReaderDied, watchReader, type ReaderLimits } from './watch.ts'

/** A document's place at a reader child. Names of files, not of documents, so that a place is made only once. */
export interface ReaderSeat {
  /** Put the content here; the child may only read it. */
  readonly content: string
  /** The child writes what it read to this file. */
  readonly reading: string
  /** Makes the folder the child unpacks members to. */
  openMembers(): Promise<string>
  /**
   * Asks one question; rejects with ReaderDied when the child dies, takes too long or too much memory, or `signal`
   * fires. The questions of several seats are asked one after another; limits begin when it is this one's turn.
   */
  ask(question: ReaderQuestion, limits: ReaderLimits, signal: AbortSignal): Promise<ReaderAnswer>
}

export interface ReaderProcess {
  readonly pid: number
  readonly alive: boolean
  readonly served: number
  readonly memoryBytes: number
  /** Takes a free place; `leave` removes what the document left in it. */
  seat(): ReaderSeat & { leave(): Promise<void> }
  /** Ends the child and removes its folders. */
  close(): Promise<void>
}

/** Starts a reader child below `directory`. */
export async function startReader(directory: string, failpoints: string | undefined): Promise<ReaderProcess> {
  const folders = await makeFolders(directory)
  const free: number[] = []
  const child = spawnReader(folders, failpoints)
  const exit = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  let alive = true
  void exit.then(() => (alive = false))
  await untilReady(child, exit)
  let nextId = 1
  let nextSeat = 1
  let memoryBytes = 0
  let turn: Promise<unknown> = Promise.resolve()
  const serve = async (question: ReaderQuestion, limits: ReaderLimits, signal: AbortSignal): Promise<ReaderAnswer> => {
    if (signal.aborted) throw new ReaderDied('aborted')
    if (!alive) throw new ReaderDied('bystander')
    const id = nextId++
    const watch = watchReader(child, id, limits, signal)
    child.send({ ...question, id }, () => {}) // an error of the channel is followed by 'exit'
    const { answer, memoryBytes: now } = await watch
    memoryBytes = now
    return answer
  }
  return {
    pid: child.pid!,
    get alive() {
      return alive
    },
    get served() {
      return nextId - 1
    },
    get memoryBytes() {
      return memoryBytes
    },
    seat: () => {
      const number = free.pop() ?? nextSeat++
      const [content, reading, members] = [
        join(folders.input, `${number}`),
        join(folders.output, `${number}`),
        join(folders.output, `${number}.members`),
      ]
      let hasMembers = false
      return {
        content,
        reading,
        openMembers: async () => {
          hasMembers = true
          await mkdir(members)
          return members
        },
        ask: (question, limits, signal) => {
          const asked = turn.then(() => serve(question, limits, signal))
          turn = asked.catch(() => {})
          return asked
        },
        leave: async () => {
          // most often the reading has been moved away and there is one file to remove
          await Promise.all([unlink(content).catch(() => {}), unlink(reading).catch(() => {})])
          if (hasMembers) await rm(members, { recursive: true, force: true })
          free.push(number)
        },
      }
    },
    close: async () => {
      child.kill('SIGKILL')
      await exit
      await rm(folders.own, { recursive: true, force: true })
    },
  }
}

async function makeFolders(directory: string): Promise<ReaderFolders> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const own = await mkdtemp(join(directory, 'reader-'))
  const folders = { own, input: join(own, 'in'), output: join(own, 'out') }
  await Promise.all([mkdir(folders.input), mkdir(folders.output)])
  return folders
}

/** Throws with the last line the child printed when it ends instead. */
async function untilReady(child: ChildProcess, exit: Promise<void>): Promise<void> {
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000)
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    void exit.then(() => reject(new Error(`The reader did not start: ${stderr.trim().split('\n').at(-1) ?? ''}`)))
  })
}
