import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../../bin/sheaf.js', import.meta.url))

/** `sheaf serve` as a process that can be killed and started again on the same directory. */
export class ServedSheaf {
  readonly dataDir: string
  #child: ChildProcess | null = null
  #base = ''
  #key = ''
  /** Milliseconds from the start to the line that says the server is ready, for every start. */
  readonly starts: number[] = []

  constructor(dataDir: string) {
    this.dataDir = dataDir
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  async start(environment: Record<string, string> = {}): Promise<void> {
    const began = performance.now()
    const child = spawn(process.execPath, [PROGRAM, 'serve', '--port', '0', '--data', this.dataDir], {
      env: { ...process.env, NODE_ENV: 'test', SHEAF_RETRY_BASE: '0.1', SHEAF_LOG: 'error', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let stderr = ''
    child.stderr.on('data', (data: Buffer) => (stderr = (stderr + data.toString()).slice(-4000)))
    child.once('exit', () => {
      if (this.#child === child) this.#child = null
    })
    this.#base = await new Promise<string>((resolve, reject) => {
      let stdout = ''
      child.stdout.on('data', (data: Buffer) => {
        stdout += data.toString()
        const match = /http:\/\/[^\s]+/.exec(stdout)
        if (match) resolve(match[0].replace(/\/$/, ''))
      })
      child.once('exit', (code, signal) =>
        reject(new Error(`serve ended with ${code ?? signal} before it was ready: ${stderr}`)),
      )
    })
    this.starts.push(performance.now() - began)
    this.#key = (await readFile(join(this.dataDir, 'api-key'), 'utf8')).trim()
  }

  /** kill -9 of the parent; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child) return
    child.kill('SIGKILL')
    while (this.#child === child) await pause(2)
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (!child) return
    child.kill('SIGTERM')
    while (this.#child === child) await pause(5)
  }

  /** Process ids below the server: its workers, and the reader children of those. */
  descendants(): { workers: number[]; readers: number[] } {
    const parents = processTable()
    const below = (pid: number): number[] =>
      parents.filter((entry) => entry.parent === pid && entry.command.includes('node')).map((entry) => entry.pid)
    const workers = this.#child
      ? below(this.#child.pid!).filter((pid) =>
          parents.some((entry) => entry.pid === pid && entry.command.includes('worker-process')),
        )
      : []
    return { workers, readers: workers.flatMap((pid) => below(pid)) }
  }

  /** The PostgreSQL server's own process, none while there is no server. */
  async postmaster(): Promise<number[]> {
    const file = await readFile(join(this.dataDir, 'server.json'), 'utf8').catch(() => '{}')
    const { postmasterPid } = JSON.parse(file) as { postmasterPid?: number | null }
    return postmasterPid ? [postmasterPid] : []
  }

  request(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.#base + path, {
      ...init,
      headers: { authorization: `Bearer ${this.#key}`, ...init.headers },
      signal: AbortSignal.timeout(15_000),
    })
  }
}

interface Entry {
  pid: number
  parent: number
  command: string
}

/** Linux only: the chaos suite kills real processes, which it finds in /proc. */
function processTable(): Entry[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]), command }]
      } catch {
        return [] // it ended while we looked
      }
    })
}
