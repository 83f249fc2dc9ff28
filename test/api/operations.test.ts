import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openapiDocument } from '../../src/api/index.ts'
import { ERROR_CODES, SheafError } from '../../src/core/index.ts'
import { call, createBatch, files, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
})
afterAll(() => api.close())

describe('health', () => {
  it('is of the process alone, and readiness of what it stands on', async () => {
    expect((await call(api.app, { method: 'GET', url: '/healthz' })).json).toEqual({ status: 'ok', version: '1.2.3' })
    expect((await call(api.app, { method: 'GET', url: '/readyz' })).json).toEqual({
      status: 'ready',
      checks: { database: 'ok', storage: 'ok' },
    })
  })

  it('names the storage when space runs out, and uploads are refused with 507 until it is back', async () => {
    const full = await startTestApi({ freeSpaceFloor: Number.MAX_SAFE_INTEGER })
    try {
      const somebody = await full.person()
      const ready = await call(full.app, { method: 'GET', url: '/readyz' })
      expect(ready).toMatchObject({
        status: 503,
        json: { code: 'unavailable', checks: { database: 'ok', storage: expect.stringContaining('MB are free') } },
      })
      expect(ready.json.detail).toContain('storage')
      expect(ready.headers['retry-after']).toBeDefined()
      const refused = await uploadFiles(somebody, await createBatch(somebody), { a: 'b' })
      expect(refused).toMatchObject({ status: 507, json: { code: 'no_space' }, headers: { 'retry-after': '30' } })
    } finally {
      await full.close()
    }
  })

  it('says 503 with Retry-After, never 500, while the database is away', async () => {
    const cut = await startTestApi()
    const somebody = await cut.person()
    const lost = new SheafError('unavailable', 'The database does not answer.')
    try {
      cut.test.database.asUser = () => Promise.reject(lost)
      for (const url of ['/api/batches', '/api/usage']) {
        expect(await somebody.call('GET', url)).toMatchObject({
          status: 503,
          json: { code: 'unavailable', category: 'storage' },
          headers: { 'retry-after': '2' },
        })
      }
    } finally {
      await cut.close()
    }
  })
})

describe('metrics', () => {
  it('show requests, batches, documents, demand and the process, without names', async () => {
    const id = await createBatch(person, { name: 'nobody-sees-this-name' })
    await uploadFiles(person, id, { 'nobody-sees-this-file': 'x' })
    const { status, text, headers } = await call(api.app, { method: 'GET', url: '/metrics' })
    expect(status).toBe(200)
    expect(headers['content-type']).toMatch(/^text\/plain/)
    expect(text).toMatch(
      /^http_request_duration_seconds_count\{method="POST",route="\/api\/batches",status="201"\} 1$/m,
    )
    expect(text).toMatch(/^sheaf_batches\{status="queued"\} \d+$/m)
    expect(text).toMatch(/^sheaf_documents\{state="queued"\} \d+$/m)
    expect(text).toMatch(/^sheaf_worker_demand\{class="document"\} \d+$/m)
    expect(text).toMatch(/^sheaf_database_up 1$/m)
    expect(text).toMatch(/^process_resident_memory_bytes \d+/m)
    expect(text).not.toContain('nobody-sees')
  })
})

describe('errors', () => {
  it('are problem+json with a request id, and tell nothing of the inside', async () => {
    const broken = await startTestApi()
    try {
      const somebody = await broken.person()
      broken.test.database.asUser = () => Promise.reject(new TypeError('secret of the inside'))
      const { status, json, headers, text } = await somebody.call('GET', '/api/usage')
      expect(status).toBe(500)
      expect(headers['content-type']).toMatch(/^application\/problem\+json/)
      expect(json).toEqual({
        type: 'urn:sheaf:error:internal',
        title: 'Something failed inside Sheaf.',
        status: 500,
        code: 'internal',
        category: 'internal',
        detail: 'Something failed inside Sheaf.',
        hint: expect.stringContaining('request id'),
        requestId: headers['x-request-id'],
      })
      expect(text).not.toContain('secret')
    } finally {
      await broken.close()
    }
  })

  it.each([
    ['{"name": NaN}', 400, 'bad_request'],
    ['{"name": "x"', 400, 'bad_request'],
    ['{"name":"x","__proto__":{"a":1}}', 400, 'bad_request'],
    ['{"name":"x","constructor":{"prototype":{}}}', 400, 'bad_request'],
    ['', 400, 'bad_request'],
    ['[]', 400, 'bad_request'],
    ['null', 400, 'bad_request'],
    [`{"name":"x","pipeline":${'['.repeat(100)}${']'.repeat(100)}}`, 400, 'bad_request'],
    [`{"name":"${'x'.repeat(1024 * 1024)}"}`, 413, 'payload_too_large'],
    ['{"name":"\\ud800"}', 400, 'bad_request'],
    ['{"name":"x","pipeline":{"extract":{"a":"\\u0000"}}}', 400, 'bad_request'],
    ['{"name":"x","pipeline":{"extract":{"a":"\\udead"}}}', 400, 'bad_request'],
  ])('answer the body %.60j with %i', async (payload, status, code) => {
    const answer = await person.call('POST', '/api/batches', {
      payload,
      headers: { 'content-type': 'application/json' },
    })
    expect(answer).toMatchObject({ status, json: { code } })
    expect(({} as Record<string, unknown>)['a']).toBeUndefined()
  })

  it('answer unknown addresses, methods and types', async () => {
    expect(await person.call('GET', '/api/nothing')).toMatchObject({ status: 404, json: { code: 'not_found' } })
    expect(await person.call('GET', '/api/%zz')).toMatchObject({ status: 400, json: { code: 'bad_request' } })
    expect(await person.call('PATCH', '/api/usage')).toMatchObject({ status: 404 })
    expect(
      await person.call('POST', '/api/batches', {
        payload: 'name=x',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      }),
    ).toMatchObject({ status: 415, json: { code: 'unsupported_media_type' } })
    expect(
      await person.call('POST', '/api/batches', { payload: '{"name":"x"}', headers: { 'content-type': 'text/plain' } }),
    ).toMatchObject({ status: 415 })
  })

  it('refuse unknown fields in every body', async () => {
    const { paths } = (await openapiDocument()) as { paths: Record<string, Record<string, { operationId: string }>> }
    const id = await createBatch(person)
    const smuggled = { ownerId: 'me', plan: 'unlimited', role: 'admin', status: 'completed', attempt: 0 }
    let refused = 0
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations).filter((one) => one !== 'get')) {
        if (path === '/api/upload') continue
        const answer = await person.call(method.toUpperCase() as 'POST', path.replace('{id}', id), {
          body: smuggled,
          headers: { 'if-match': '*' },
        })
        expect({ path, method, status: answer.status }).toEqual({ path, method, status: 400 })
        refused++
      }
    }
    expect(refused).toBeGreaterThanOrEqual(14)
  })

  it('never are 500 for hostile text in any parameter', async () => {
    const id = await createBatch(person)
    const hostile = [
      "' or 1=1 --",
      '"; drop table batches; --',
      '\\',
      '%',
      '_',
      '\u0000',
      '\ud800',
      '1e999',
      '-1',
      '99999999999999999999',
      '{}',
      '[]',
      'null',
      'é\u202e',
      '../..',
      '${7*7}',
    ]
    for (const text of hostile) {
      const value = encodeURIComponent(text.toWellFormed())
      for (const url of [
        `/api/batches?name=${value}`,
        `/api/batches?limit=${value}`,
        `/api/batches?status=${value}`,
        `/api/batches/${id}/documents?path=${value}`,
        `/api/batches/${id}/documents?code=${value}`,
        `/api/batches/${id}/documents?cursor=${value}`,
        `/api/batches/${id}?run=${value}`,
        `/api/batches/${value}`,
        `/api/batches/${id}/exports?cursor=${value}`,
        `/api/batches/${id}/documents?${value}=1`,
      ])
        expect((await person.call('GET', url)).status).toBeLessThan(500)
      expect((await person.call('POST', '/api/batches', { body: { name: text } })).status).toBeLessThan(500)
      expect(
        (await person.call('POST', `/api/batches/${id}/retry`, { body: { where: { path: text, code: text } } })).status,
      ).toBeLessThan(500)
      expect(
        (
          await person.call(
            'POST',
            `/api/upload?batch_id=${id}`,
            files({ [text.replaceAll('"', '%22')]: `content of ${text}` }),
          )
        ).status,
      ).toBeLessThan(500)
    }
  })
})

describe('header fields', () => {
  it('guard every answer', async () => {
    for (const url of ['/', '/api/usage', '/api/nothing', '/healthz']) {
      const { headers } = await person.call('GET', url)
      expect(headers).toMatchObject({
        'content-security-policy':
          "default-src 'self';script-src 'self';img-src 'self' blob: data:;object-src 'none';frame-ancestors 'none';base-uri 'none'",
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      })
    }
  })

  it('of the reference allow its own script by hash and nothing from elsewhere', async () => {
    const { status, headers, text } = await call(api.app, { method: 'GET', url: '/docs/' })
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toMatch(/script-src 'self' 'sha256-[^']+'/)
    expect(headers['content-security-policy']).not.toMatch(/https?:|unsafe-eval/)
    expect(text).not.toMatch(/(?:src|href)="(?:https?:)?\/\//)
    const script = await call(api.app, { method: 'GET', url: '/docs/js/scalar.js' })
    expect(script.status).toBe(200)
    expect(script.bytes.length).toBeGreaterThan(1_000_000)
    expect((await call(api.app, { method: 'GET', url: '/' })).text).not.toContain('<script')
  })
})

interface Operation {
  operationId: string
  summary: string
  tags: string[]
  responses: Record<string, { description: string; content?: Record<string, unknown> }>
}
interface Description {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, unknown> }
}

describe('the description of the API', () => {
  it('is OpenAPI 3.1, the same with and without a database', async () => {
    const document = (await openapiDocument()) as Description
    expect(document.openapi).toMatch(/^3\.1\./)
    expect((await call(api.app, { method: 'GET', url: '/openapi.json' })).json).toEqual(
      JSON.parse(JSON.stringify(document)),
    )
    expect(await openapiDocument()).toEqual(document)
  })

  it('describes every route with its problems, under a name of its own', async () => {
    const { paths } = (await openapiDocument()) as Description
    const operations = Object.values(paths).flatMap((methods) => Object.values(methods))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const { operationId, summary, tags, responses } of operations) {
      expect({ operationId, summary: typeof summary, tags: tags.length }).toEqual({
        operationId,
        summary: 'string',
        tags: 1,
      })
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['400', '401', '429', '500', '503']))
      const problems = Object.entries(responses).filter(([status]) => Number(status) >= 400)
      for (const [, { content }] of problems) expect(Object.keys(content!)).toEqual(['application/problem+json'])
    }
  })

  it('refers to nothing that it does not hold', async () => {
    const document = (await openapiDocument()) as Description
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(
      ([, name]) => name!,
    )
    expect(references.length).toBeGreaterThan(50)
    for (const name of references) expect(document.components.schemas).toHaveProperty([name])
    expect(
      (document.components.schemas['Problem'] as { properties: { code: { enum: string[] } } }).properties.code.enum,
    ).toEqual(ERROR_CODES)
  })
})

async function answerOf(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await once(socket, 'close')
  return text
}

describe('shutting down', () => {
  it('turns late requests away with 503 and lets the running ones end', async () => {
    const closing = await startTestApi()
    const somebody = await closing.person()
    const url = new URL(await closing.app.listen({ host: '127.0.0.1', port: 0 }))
    const id = await createBatch(somebody)
    const { payload, headers } = files({ 'a.txt': 'in time' })
    const head = `POST /api/upload?batch_id=${id} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${somebody.key}\r\ncontent-type: ${headers['content-type']}\r\ncontent-length: ${payload.length}\r\n\r\n`
    const [running, late] = [connect(Number(url.port), '127.0.0.1'), connect(Number(url.port), '127.0.0.1')]
    const answers = Promise.all([answerOf(running), answerOf(late)])
    const seen = new Promise<void>((resolve) => closing.app.server.once('request', () => resolve()))
    running.write(head)
    late.write('GET /api/usage HTTP/1.1\r\nhost: lo')
    await seen
    const closed = closing.close()
    await expect.poll(() => closing.app.server.listening).toBe(false)
    late.write(`calhost\r\nauthorization: Bearer ${somebody.key}\r\n\r\n`)
    running.write(payload)
    const [uploaded, refused] = await answers
    await closed
    expect(uploaded).toMatch(/^HTTP\/1\.1 201 /)
    expect(refused).toMatch(/^HTTP\/1\.1 503 /)
    expect(refused).toContain('"code":"draining"')
  })
})
