import { json as readJson } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../core/index.ts'
import { findServer, type ServerNeeds, type ServerPlace } from './client/find-server.ts'
import {
  ConnectionLost,
  expectSuccess,
  openHttp,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
} from './client/http.ts'
import { ApiFailure, CommandFailure, EXIT } from './failure.ts'
import type { Invocation } from './invocation.ts'

/** What every command works through: the HTTP API of one server. */
export interface Connection {
  readonly baseUrl: string
  readonly key: string
  /** Whether the server is one of this process, so that nobody goes on when the command ends. */
  readonly isOwn: boolean
  readonly config: Config
  /**
   * Sends a request; throws ApiFailure for an answer that is not 2xx. Waits where the server asks for it, and looks
   * for the next server of the data directory when the one it talked to has ended.
   */
  send(request: HttpRequest): Promise<HttpAnswer>
  /** `send`, with the body of the answer read as JSON. */
  request<T>(method: string, path: string, options?: Omit<HttpRequest, 'method' | 'path'>): Promise<T>
  close(graceMs?: number): Promise<void>
}

export type ConnectOptions = Pick<ServerNeeds, 'worker' | 'readers'>

/** How long a first contact waits for a directory that somebody else has just taken, and a later one for the next owner. */
const FIRST_PATIENCE_MS = 3000
const LATER_PATIENCE_MS = 35_000
/** How often a lost connection is tried again, and how long a server that says "later" is waited for. */
const LOSSES = 5
const LOSS_DELAY_MS = 200
const WAIT_MS = 60_000

/** Connects a command to its server, and starts one in this process where none runs. */
export async function connect(invocation: Invocation, options: ConnectOptions): Promise<Connection> {
  const config = await readSettings(invocation)
  let place: ServerPlace = await findServer(invocation, config, { ...options, patienceMs: FIRST_PATIENCE_MS })
  let http: HttpClient = openHttp(place.baseUrl, place.key)
  let isReached = false
  let isClosed = false

  const again = async (): Promise<void> => {
    http.close()
    place = await findServer(invocation, config, { ...options, patienceMs: LATER_PATIENCE_MS })
    http = openHttp(place.baseUrl, place.key)
  }
  const recover = async (lost: ConnectionLost, losses: number): Promise<void> => {
    if (isClosed || (place.kind === 'given' && !isReached) || losses > LOSSES) throw unreachable(place, lost)
    await delay(LOSS_DELAY_MS * losses)
    if (place.kind === 'running') await again()
  }
  const send = async (request: HttpRequest): Promise<HttpAnswer> => {
    const deadline = performance.now() + WAIT_MS
    for (let losses = 0; ;) {
      const answer = await http.send(request).catch((error: unknown) => {
        if (error instanceof ConnectionLost) return error
        throw error
      })
      if (answer instanceof ConnectionLost) {
        await recover(answer, ++losses)
        continue
      }
      isReached = true
      const waitMs = askedToWait(answer)
      if (waitMs === null || performance.now() + waitMs > deadline) return expectSuccess(answer)
      answer.body.resume()
      await delay(waitMs)
    }
  }
  return {
    get baseUrl() {
      return place.baseUrl
    },
    get key() {
      return place.key
    },
    get isOwn() {
      return place.kind === 'own'
    },
    config,
    send,
    request: async <T>(method: string, path: string, rest: Omit<HttpRequest, 'method' | 'path'> = {}) => {
      const answer = await send({ method, path, ...rest })
      return (answer.status === 204 ? (answer.body.resume(), undefined) : await readJson(answer.body)) as T
    },
    close: async (graceMs) => {
      isClosed = true
      http.close()
      await place.stop(graceMs)
    },
  }
}

/** The configuration with the flags of the command line over it. */
export async function readSettings({ flags }: Invocation): Promise<Config> {
  const { callerPath, readConfig } = await import('../core/index.ts')
  const config = readConfig()
  return flags.data === undefined ? config : { ...config, dataDir: callerPath(flags.data) }
}

/** Milliseconds after which a busy server wants to be asked again; null for every other answer. */
function askedToWait({ status, headers }: HttpAnswer): number | null {
  if (status !== 429 && status !== 503) return null
  const seconds = Number(headers['retry-after'] ?? (status === 503 ? 1 : NaN))
  return Number.isFinite(seconds) ? Math.max(100, seconds * 1000) : null
}

function unreachable(place: ServerPlace, cause: Error): CommandFailure {
  const action = place.kind === 'given' ? 'Check the address and that the server runs.' : 'Run the command again.'
  return new CommandFailure(
    EXIT.unreachable,
    `The server at ${place.baseUrl} does not answer (${cause.message}).`,
    action,
    cause,
  )
}

/** Whether an answer of the API said that there is no such thing. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiFailure && (error.status === 404 || error.status === 410)
}
