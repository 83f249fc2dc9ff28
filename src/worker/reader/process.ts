import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ReaderAnswer, ReaderMessage, ReaderQuestion } from './protocol.ts'

/** Why a child did not answer. */
export type ReaderEnd = 'crash' | 'memory' | 'timeout' | 'page_timeout' | 'aborted'

export class ReaderDied extends Error {
  override readonly name = 'ReaderDied'
  readonly end: ReaderEnd
  constructor(end: ReaderEnd, detail?: string) {
    super(detail ?? end)
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

export interface ReaderProcess {
  readonly pid: number
  /** Put input here; the child may only read it. */
  readonly inputDirectory: string
  /** The child writes here and nowhere else. */
  readonly outputDirectory: string
  readonly alive: boolean
  readonly served: number
  readonly memoryBytes: number
  /** Asks one question; rejects with ReaderDied when the child dies, takes too long or too much memory, or `signal` fires. */
  ask(question: ReaderQuestion, limits: ReaderLimits, signal: AbortSignal): Promise<ReaderAnswer>
  /** Removes what a document left in its folders. */
  tidy(): Promise<void>
  /** Ends the child and removes its folders. */
  close(): Promise<void>
}

const POLL_MS = 50
const PAGE_BYTES = 4096

/** Starts a reader child below `directory`. */
export async function startReader(directory: string, failpoints: string | undefined): Promise<ReaderProcess> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const own = await mkdtemp(join(directory, 'reader-'))
  const inputDirectory = join(own, 'in')
  const outputDirectory = join(own, 'out')
  await Promise.all([mkdir(inputDirectory), mkdir(outputDirectory)])
  const child = spawnReader(own, inputDirectory, outputDirectory, failpoints)
  let ended = false
  let stderr = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000)
  })
  const exit = new Promise<void>((resolve) => {
    child.once('exit', () => {
      ended = true
      resolve()
    })
    child.once('error', () => {
      ended = true
      resolve()
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('message', () => resolve())
    void exit.then(() => reject(new Error(`The reader did not start: ${stderr.trim().split('\n').at(-1) ?? ''}`)))
  })
  let nextId = 1
  let served = 0
  let memoryBytes = 0
  return {
    pid: child.pid!,
    inputDirectory,
    outputDirectory,
    get alive() {
      return !ended
    },
    get served() {
      return served
    },
    get memoryBytes() {
      return memoryBytes
    },
    ask: async (question, limits, signal) => {
      served++
      if (ended) throw new ReaderDied('crash', stderr)
      const id = nextId++
      const watch = watchReader(child, id, limits, signal)
      child.send({ ...question, id }, () => {}) // an error of the channel is followed by 'exit'
      const { answer, memoryBytes: now } = await watch
      memoryBytes = now
      return answer
    },
    tidy: async () => {
      for (const folder of [inputDirectory, outputDirectory]) {
        for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
      }
    },
    close: async () => {
      child.kill('SIGKILL')
      await exit
      await rm(own, { recursive: true, force: true })
    },
  }
}

/** Waits for the answer to one question, and kills the child for time, memory or abortion. */
function watchReader(child: ChildProcess, id: number, limits: ReaderLimits, signal: AbortSignal) {
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

function spawnReader(own: string, input: string, output: string, failpoints: string | undefined): ChildProcess {
  const program = fileURLToPath(new URL(`./child${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  const node = [
    '--permission',
    ...readable(program).map((path) => `--allow-fs-read=${path}`),
    `--allow-fs-read=${input}`,
    `--allow-fs-read=${output}`,
    `--allow-fs-write=${output}`,
    '--max-old-space-size=512',
    '--no-warnings',
    program,
    failpoints ?? '',
  ]
  const [command, ...args] = [...isolation(), process.execPath, ...node]
  // without PATH or anything else of ours in its environment
  return spawn(command!, args, { cwd: own, env: {}, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
}

/** What the child may read of the program: its sources and the packages. */
function readable(program: string): string[] {
  const source = dirname(dirname(dirname(program)))
  const packages = createRequire(program).resolve('zod')
  return [
    source,
    join(dirname(source), 'package.json'),
    packages.slice(0, packages.lastIndexOf('node_modules') + 'node_modules'.length),
  ]
}

let prefix: string[] | undefined

/**
 * Programs in front of the child, where the system has them: a network namespace of its own, so that there is nothing
 * to connect to, and a signal when the worker dies, so that a child that computes for ever does not outlive it.
 */
function isolation(): string[] {
  prefix ??= [...works('unshare', ['--user', '--net']), ...works('setpriv', ['--pdeathsig', 'KILL'])]
  return prefix
}

function works(program: string, options: string[]): string[] {
  const path = ['/usr/bin', '/bin'].map((folder) => join(folder, program)).find((file) => existsSync(file))
  if (!path || spawnSync(path, [...options, '/bin/true']).status !== 0) return []
  return [path, ...options]
}
