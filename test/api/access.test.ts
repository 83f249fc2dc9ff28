import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openapiDocument } from '../../src/api/index.ts'
import { makeApiKey, newId } from '../../src/core/index.ts'
import { call, createBatch, files, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
})
afterAll(() => api.close())

describe('an API key', () => {
  it('opens the door; nothing else does', async () => {
    const get = (headers: Record<string, string>) => call(api.app, { method: 'GET', url: '/api/batches', headers })
    expect((await get({ authorization: `Bearer ${person.key}` })).status).toBe(200)
    for (const authorization of [
      '',
      'Bearer',
      'Bearer x',
      `Basic ${person.key}`,
      `Bearer ${makeApiKey()}`,
      `Bearer ${person.key.slice(0, -1)}`,
      `Bearer ${person.key}x`,
    ]) {
      const refused = await get({ authorization })
      expect(refused).toMatchObject({ status: 401, json: { code: 'unauthorized', category: 'rejected' } })
      expect(refused.headers['www-authenticate']).toMatch(/^Bearer/)
    }
  })

  it('is shown once, listed without its secret, and refused within a second of being revoked elsewhere', async () => {
    const created = await person.call('POST', '/api/keys', { body: { name: 'ci' } })
    expect(created.status).toBe(201)
    const { id, key } = created.json as { id: string; key: string }
    const listed = await person.call('GET', '/api/keys')
    expect(listed.json.items).toMatchObject([{ id, name: 'ci' }, { name: 'test' }])
    expect(listed.text).not.toContain(key)
    const use = () => call(api.app, { method: 'GET', url: '/api/usage', headers: { authorization: `Bearer ${key}` } })
    expect((await use()).status).toBe(200)
    await api.test.admin.query('update sheaf.api_keys set revoked_at = now() where id = $1', [id])
    await expect.poll(async () => (await use()).status, { timeout: 1500, interval: 50 }).toBe(401)
  })

  it('is refused at once when revoked here', async () => {
    const { id, key } = (await person.call('POST', '/api/keys', { body: { name: 'short' } })).json as {
      id: string
      key: string
    }
    const use = () => call(api.app, { method: 'GET', url: '/api/usage', headers: { authorization: `Bearer ${key}` } })
    expect((await use()).status).toBe(200)
    expect((await person.call('DELETE', `/api/keys/${id}`)).status).toBe(204)
    expect((await use()).status).toBe(401)
    expect((await person.call('DELETE', `/api/keys/${id}`)).status).toBe(404)
  })
})

describe('what is open without a key', () => {
  it.each(['/metrics', '/openapi.json', '/docs/'])('%s is so on this machine only', async (url) => {
    const get = (options: object) => call(api.app, { method: 'GET', url, ...options })
    expect((await get({})).status).toBe(200)
    expect((await get({ headers: { host: 'localhost:8080' } })).status).toBe(200)
    expect((await get({ remoteAddress: '10.0.0.7' })).status).toBe(401)
    expect((await get({ remoteAddress: '10.0.0.7', headers: { authorization: `Bearer ${person.key}` } })).status).toBe(
      200,
    )
    expect((await get({ headers: { 'x-forwarded-for': '127.0.0.1' } })).status).toBe(401)
    expect(await get({ headers: { host: 'evil.example' } })).toMatchObject({ status: 403, json: { code: 'forbidden' } })
  })

  it.each(['/healthz', '/readyz', '/'])('%s is so everywhere', async (url) => {
    expect((await call(api.app, { method: 'GET', url, remoteAddress: '10.0.0.7' })).status).toBe(200)
  })
})

interface Operation {
  operationId: string
  requestBody?: unknown
}

describe('somebody of another workspace', () => {
  it('sees nothing on any route: an id of others is answered as one that never was', async () => {
    const batchId = await createBatch(person)
    const documentId = (await uploadFiles(person, batchId, { 'a.txt': 'mine' })).json.accepted[0].documentId as string
    const exportId = (await person.call('POST', `/api/batches/${batchId}/exports`, { body: { format: 'csv' } })).json
      .id as string
    const keyId = (await person.call('GET', '/api/keys')).json.items[0].id as string
    const deleted = await createBatch(person)
    await person.call('DELETE', `/api/batches/${deleted}`, { headers: { 'if-match': '*' } })
    const mine = {
      '/api/batches/': batchId,
      '/api/documents/': documentId,
      '/api/exports/': exportId,
      '/api/keys/': keyId,
      '/api/deletions/': deleted,
    }
    const stranger = await api.person()
    const bodies: Record<string, unknown> = {
      changeBatch: { name: 'x' },
      startRun: { pipeline: 'read' },
      createExport: { format: 'csv' },
      givePassword: { password: 'x' },
    }
    const { paths } = (await openapiDocument()) as { paths: Record<string, Record<string, Operation>> }
    const walked: string[] = []
    for (const [path, operations] of Object.entries(paths).filter(([one]) => one.includes('{id}'))) {
      for (const [method, { operationId }] of Object.entries(operations)) {
        const visit = (id: string) =>
          stranger.call(method.toUpperCase() as 'GET', path.replace('{id}', id), {
            headers: { 'if-match': '*' },
            ...(bodies[operationId] !== undefined && { body: bodies[operationId] }),
          })
        const owned = Object.entries(mine).find(([prefix]) => path.startsWith(prefix))![1]
        const [foreign, never] = [await visit(owned), await visit(newId())]
        expect({ operationId, status: foreign.status }).toEqual({ operationId, status: 404 })
        expect(foreign.json).toEqual({ ...never.json, requestId: foreign.json.requestId })
        walked.push(operationId)
      }
    }
    expect(walked.length).toBeGreaterThanOrEqual(24)
    expect((await stranger.call('GET', '/api/batches')).json.items).toEqual([])
    expect((await stranger.call('GET', '/api/usage')).json).toEqual({ batches: 0, documents: 0, bytes: 0 })
    expect((await stranger.call('POST', `/api/upload?batch_id=${batchId}`, files({ a: 'b' }))).status).toBe(404)
    // and the owner's things are as they were
    expect((await person.call('GET', `/api/batches/${batchId}`)).json).toMatchObject({
      name: 'a batch',
      run: 1,
      intake: 'open',
    })
    expect((await person.call('GET', '/api/usage')).json).toMatchObject({ documents: 1, bytes: 4 })
  })

  it.each([
    '%2e%2e',
    '..%2f..%2fetc',
    'a%00b',
    "1' or '1'='1",
    '00000000-0000-0000-0000-00000000000g',
    '%ff',
    'x'.repeat(300),
  ])('gets 404 or 400 for the id %s', async (id) => {
    for (const url of [
      `/api/batches/${id}`,
      `/api/batches/${id}/documents`,
      `/api/documents/${id}/content`,
      `/api/exports/${id}/content`,
    ]) {
      const { status, json } = await person.call('GET', url)
      expect([400, 404]).toContain(status)
      expect(json.code).toMatch(/^(not_found|bad_request)$/)
    }
  })
})

describe('requests', () => {
  it('are counted, and too many are told when to come again', async () => {
    const limited = await startTestApi({ requestsPerMinute: 5 })
    try {
      const [somebody, other] = [await limited.person(), await limited.person()]
      const answers = []
      for (let i = 0; i < 6; i++) answers.push(await somebody.call('GET', '/api/limits'))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429])
      expect(answers[0]!.headers).toMatchObject({
        'ratelimit-policy': '"default";q=5;w=60',
        ratelimit: expect.stringMatching(/^"default";r=4;t=\d+$/),
      })
      expect(answers[5]).toMatchObject({
        json: { code: 'too_many_requests' },
        headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
      })
      expect((await other.call('GET', '/api/limits')).status).toBe(200)
      for (let i = 0; i < 5; i++)
        expect(
          (
            await call(limited.app, {
              method: 'GET',
              url: '/api/limits',
              headers: { authorization: `Bearer ${makeApiKey()}` },
            })
          ).status,
        ).toBe(401)
      expect(
        (
          await call(limited.app, {
            method: 'GET',
            url: '/api/limits',
            headers: { authorization: `Bearer ${makeApiKey()}` },
          })
        ).status,
      ).toBe(429)
      expect((await call(limited.app, { method: 'GET', url: '/healthz' })).status).toBe(200)
    } finally {
      await limited.close()
    }
  })
})
