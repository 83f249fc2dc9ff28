import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Client } from 'pg'
import type { EmbeddedOptions } from '../start.ts'

/** What a child process that called `startEmbeddedServer` said. */
export interface OwnerAnswer {
  socketDirectory?: string
  port?: number
  postmasterPid?: number
  password?: string
  error?: { name: string; exitCode: number; message: string; action: string }
  milliseconds: number
}

export interface Owner {
  pid: number
  answer: OwnerAnswer
  /** Ends the process by SIGKILL. */
  kill(): Promise<void>
  /** Lets it call `stop()` and end. */
  stop(): Promise<void>
}

const PROGRAM = `
import { startEmbeddedServer } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)}
const begun = performance.now()
const say = (answer) => console.log(JSON.stringify({ ...answer, milliseconds: performance.now() - begun }))
try {
  const server = await startEmbeddedServer(JSON.parse(process.argv.at(-1)))
  const { socketDirectory, port, postmasterPid, superuser } = server
  process.stdin.once('end', async () => { await server.stop(); process.exit(0) }).resume()
  say({ socketDirectory, port, postmasterPid, password: superuser.password })
} catch ({ name, exitCode, message, action }) {
  say({ error: { name, exitCode, message, action } })
}
`

export interface OwnerOptions extends Omit<EmbeddedOptions, 'log'> {
  /** Words before `node`, e.g. `env NAME=value` or a mount namespace. */
  prefix?: readonly string[]
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Starts the child without waiting for its answer. */
export function spawnOwner({ prefix = [], ...options }: OwnerOptions): ChildProcess {
  const argv = [...prefix, process.execPath, '--input-type=module', '-e', PROGRAM, JSON.stringify(options)]
  return spawn(argv[0]!, argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** Starts an embedded server in a process of its own and waits for its answer: the server, or the error. */
export async function startOwner(options: OwnerOptions): Promise<Owner> {
  const child = spawnOwner(options)
  let answer: OwnerAnswer | undefined
  for await (const line of createInterface({ input: child.stdout! })) {
    answer = JSON.parse(line) as OwnerAnswer
    break
  }
  if (answer === undefined) throw new Error('the owner process ended without an answer')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended(child)
  }
  const stop = async (): Promise<void> => {
    child.stdin?.end()
    await ended(child)
  }
  return { pid: child.pid!, answer, kill, stop }
}

export interface Connection {
  socketDirectory: string
  port: number
  password: string
}

/** Runs one statement as superuser on a connection of its own and yields the first column. */
export async function query({ socketDirectory, port, password }: Connection, text: string): Promise<unknown[]> {
  const client = new Client({ host: socketDirectory, port, user: 'postgres', database: 'postgres', password })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
    return rows.map((row) => row[0])
  } finally {
    await client.end()
  }
}

/** How to connect to the server of an owner process. */
export function connectionOf({ answer }: Owner): Connection {
  const { socketDirectory, port, password } = answer
  if (socketDirectory === undefined || port === undefined || password === undefined)
    throw new Error(JSON.stringify(answer))
  return { socketDirectory, port, password }
}
