import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { buildApi, type ApiOptions } from '../../src/api/index.ts'
import { createLog, hashApiKey, makeApiKey, newId } from '../../src/core/index.ts'
import { UNLIMITED } from '../../src/intake/index.ts'
import { openLocalStore, type BlobStore } from '../../src/storage/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/** Somebody with a key of a workspace of its own. */
export interface Person {
  workspaceId: string
  key: string
  /** A request with the key; objects are sent as JSON. */
  call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, options?: CallOptions): Promise<Answer>
}

export interface CallOptions {
  body?: unknown
  headers?: Record<string, string>
  payload?: Buffer | string
}
export interface Answer {
  status: number
  headers: Record<string, string | undefined>
  text: string
  bytes: Buffer
  // answers are looked at key by key
  // oxlint-disable-next-line typescript/no-explicit-any
  json: any
}

export interface TestApi {
  app: FastifyInstance
  test: TestDatabase
  store: BlobStore
  person(): Promise<Person>
  close(): Promise<void>
}

export async function startTestApi(options: Partial<ApiOptions> = {}): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-api-'))
  const [test, store] = await Promise.all([createTestDatabase(), openLocalStore(folder)])
  const app = await buildApi({
    database: test.database,
    store,
    plan: UNLIMITED,
    log: createLog('silent'),
    version: '1.2.3',
    requestsPerMinute: 1_000_000,
    ...options,
  })
  return {
    app,
    test,
    store,
    person: async () => {
      const { workspaceId } = await test.workspace()
      const key = makeApiKey()
      await test.database.asSystem('bootstrap', (tx) =>
        tx.execute(
          sql`insert into api_keys (workspace_id, id, name, hash) values (${workspaceId}, ${newId()}, 'test', ${hashApiKey(key)})`,
        ),
      )
      return {
        workspaceId,
        key,
        call: (method, url, given = {}) => call(app, { method, url, ...toInject(given, key) }),
      }
    },
    close: async () => {
      await app.close()
      await test.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function call(app: FastifyInstance, options: InjectOptions): Promise<Answer> {
  const response = await app.inject(options)
  const isJson = /json/.test(String(response.headers['content-type'] ?? '')) && response.body !== ''
  return {
    status: response.statusCode,
    headers: response.headers as Answer['headers'],
    text: response.body,
    bytes: response.rawPayload,
    json: isJson ? (JSON.parse(response.body) as unknown) : null,
  }
}

function toInject({ body, headers, payload }: CallOptions, key: string): Pick<InjectOptions, 'headers' | 'payload'> {
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const sent = body === undefined ? payload : JSON.stringify(body)
  return {
    headers: { authorization: `Bearer ${key}`, ...json, ...headers },
    ...(sent !== undefined && { payload: sent }),
  }
}

export interface FormPart {
  name: string
  value: string | Buffer
  filename?: string
}

/** A multipart body as browsers and curl write it. */
export function form(parts: readonly FormPart[]): Required<Pick<CallOptions, 'payload' | 'headers'>> {
  const boundary = '----sheaf-test-boundary'
  const pieces = parts.flatMap(({ name, value, filename }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n\r\n`,
    ),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ])
  return {
    payload: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  }
}

export function files(contents: Readonly<Record<string, string | Buffer>>): ReturnType<typeof form> {
  return form(Object.entries(contents).map(([filename, value]) => ({ name: 'files', filename, value })))
}

export async function createBatch(person: Person, body: Record<string, unknown> = {}): Promise<string> {
  const { json, status, text } = await person.call('POST', '/api/batches', { body: { name: 'a batch', ...body } })
  if (status !== 201) throw new Error(text)
  return json.id as string
}

export async function uploadFiles(
  person: Person,
  batchId: string,
  contents: Readonly<Record<string, string | Buffer>>,
): Promise<Answer> {
  return person.call('POST', `/api/upload?batch_id=${batchId}`, files(contents))
}
