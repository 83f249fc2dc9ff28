import { Agent as HttpAgent, request as requestHttp, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { pipeline, type Readable } from 'node:stream'
import { json as readJson } from 'node:stream/consumers'
import { ApiFailure, type Problem } from '../failure.ts'

export interface HttpRequest {
  method: string
  /** Below the base URL, with the query. */
  path: string
  headers?: Record<string, string>
  /** Sent as JSON. */
  json?: unknown
  /** Made anew for each try, so that a request can be repeated. */
  body?: () => Readable
}

/** An answer of any status; its body must be read or destroyed. */
export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: IncomingMessage
}

/** The connection failed before an answer came. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>
  close(): void
}

/** A server that neither answers nor reads for so long is not there. */
const SILENCE_MS = 120_000

/** Plain node:http: it is there at once, and a body that is a stream stays one. */
export function openHttp(baseUrl: string, key: string): HttpClient {
  const isSecure = baseUrl.startsWith('https:')
  const agent = isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  const start = isSecure ? requestHttps : requestHttp
  const send = ({ method, path, headers, json, body }: HttpRequest): Promise<HttpAnswer> =>
    new Promise((resolve, reject) => {
      const text = json === undefined ? undefined : JSON.stringify(json)
      const request = start(`${baseUrl}${path}`, {
        method,
        agent,
        timeout: SILENCE_MS,
        headers: {
          authorization: `Bearer ${key}`,
          ...headers,
          ...(text !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(text)),
          }),
        },
      })
      request.on('timeout', () => request.destroy(new Error('no answer')))
      request.on('error', (error) => reject(new ConnectionLost(error.message, { cause: error })))
      request.on('response', (response) => {
        resolve({ status: response.statusCode!, headers: response.headers, body: response })
      })
      if (!body) request.end(text)
      // an error of the body is the caller's and comes first; one of the request is reported above
      else
        pipeline(body(), request, (error) => {
          if (error && !(error as NodeJS.ErrnoException).syscall) reject(error)
        })
    })
  return { send, close: () => agent.destroy() }
}

/** The answer if it is 2xx; else throws the problem it tells of. */
export async function expectSuccess(answer: HttpAnswer): Promise<HttpAnswer> {
  if (answer.status >= 200 && answer.status < 300) return answer
  throw new ApiFailure({ ...(await readProblem(answer)), status: answer.status })
}

/** The problem details of an answer; other servers and proxies answer in other ways. */
export async function readProblem(answer: HttpAnswer): Promise<Partial<Problem> & Record<string, unknown>> {
  if (!/\bjson\b/.test(answer.headers['content-type'] ?? '')) {
    answer.body.resume()
    return {}
  }
  return (await readJson(answer.body).catch(() => ({}))) as Partial<Problem> & Record<string, unknown>
}
