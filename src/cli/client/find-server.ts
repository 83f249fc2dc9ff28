import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../../core/index.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'

/** The server a command talks to. */
export interface ServerPlace {
  baseUrl: string
  key: string
  /** Named by --server, found running on the data directory, or started in this process. */
  kind: 'given' | 'running' | 'own'
  /** Stops a server of our own; within `graceMs` running documents may still end. */
  stop(graceMs?: number): Promise<void>
}

export interface ServerNeeds {
  /** Whether a server of our own also works on documents. */
  worker: 'inline' | 'none'
  readers?: number | undefined
  /** How long a data directory in use may go without a server that answers. */
  patienceMs: number
}

const LOOK_MS = 50

/**
 * Finds the server of a command: the one of --server; else the one that runs on the data directory; else one that is
 * started here. A directory whose server runs is never opened. Throws CommandFailure and EmbeddedStartError.
 */
export async function findServer(invocation: Invocation, config: Config, needs: ServerNeeds): Promise<ServerPlace> {
  const { server, key } = invocation.flags
  if (server !== undefined) return givenServer(server, key)
  const deadline = performance.now() + needs.patienceMs
  for (;;) {
    const running = config.databaseUrl === null ? await runningServer(config.dataDir) : null
    if (running !== null && 'baseUrl' in running) return running
    const refusal = running?.refusal ?? (await tryOwnServer(invocation, config, needs))
    if ('baseUrl' in refusal) return refusal
    // the directory is in use, but nobody answers: its owner is starting, stopping, or has no HTTP server
    if (performance.now() > deadline) throw refusal
    await delay(LOOK_MS)
  }
}

function givenServer(server: string, key: string | undefined): ServerPlace {
  const baseUrl = server.replace(/\/+$/, '')
  if (!/^https?:\/\/[^/]/.test(baseUrl))
    throw new CommandFailure(
      EXIT.usage,
      `--server "${server}" is not a URL.`,
      'Give it as http://host:port or https://host.',
    )
  if (key === undefined)
    throw new CommandFailure(
      EXIT.notAllowed,
      'The server asks for a key.',
      'Give one with --key; the first is the file api-key in the data directory of the server.',
    )
  return { baseUrl, key, kind: 'given', stop: () => Promise.resolve() }
}

/** The server named by server.json, or why it cannot be talked to; null when none lives. */
async function runningServer(dataDir: string): Promise<ServerPlace | { refusal: CommandFailure } | null> {
  if (!existsSync(join(dataDir, 'server.json'))) return null
  const { readServerFile } = await import('../../database/index.ts')
  const file = await readServerFile(dataDir)
  if (!file?.alive) return null
  if (file.httpAddress === null) {
    const message = `The Sheaf that runs on ${dataDir} (pid ${file.pid}) has no HTTP server.`
    return { refusal: new CommandFailure(EXIT.inUse, message, 'Wait until it has started or ended, or stop it.') }
  }
  const key = await readFile(join(dataDir, 'api-key'), 'utf8')
  return { baseUrl: reachable(file.httpAddress), key: key.trim(), kind: 'running', stop: () => Promise.resolve() }
}

/** A server that listens on every address is reached by the loopback one. */
function reachable(address: string): string {
  return address.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
}

/** Starts a server for this command alone; an error with the exit code of a directory in use is returned. */
async function tryOwnServer(
  invocation: Invocation,
  config: Config,
  needs: ServerNeeds,
): Promise<ServerPlace | CommandFailure> {
  const [{ createLog }, { startServer }] = await Promise.all([import('../../core/index.ts'), import('../server.ts')])
  try {
    const started = await startServer(config, createLog(quietLevel(config)), {
      host: '127.0.0.1',
      port: 0,
      worker: needs.worker,
      readers: needs.readers,
      version: invocation.version,
    })
    return { baseUrl: started.url!, key: started.engine.apiKey, kind: 'own', stop: (graceMs) => started.stop(graceMs) }
  } catch (error) {
    if ((error as { exitCode?: unknown }).exitCode !== EXIT.inUse) throw error
    const { message, action } = error as { message: string; action: string }
    return new CommandFailure(EXIT.inUse, message, action, error)
  }
}

/** A command speaks for itself; the log of its server is only for those who ask for more than the default. */
function quietLevel(config: Config): string {
  return config.logLevel === 'info' ? 'silent' : config.logLevel
}
