import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatch, startTestApi, type Person, type TestApi } from './support.ts'

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
})
afterAll(() => api.close())

describe('an Idempotency-Key', () => {
  it('makes fifty parallel requests create one batch and get one answer', async () => {
    const headers = { 'idempotency-key': 'fifty' }
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => person.call('POST', '/api/batches', { body: { name: 'once' }, headers })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(new Set(answers.map((answer) => `${answer.headers['etag']} ${answer.headers['location']}`)).size).toBe(1)
    expect((await person.call('GET', '/api/batches?name=once')).json.items).toHaveLength(1)
  })

  it('is refused with another request', async () => {
    const headers = { 'idempotency-key': 'mismatch' }
    await person.call('POST', '/api/batches', { body: { name: 'one' }, headers })
    expect(await person.call('POST', '/api/batches', { body: { name: 'two' }, headers })).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    })
    expect(await person.call('POST', '/api/keys', { body: { name: 'one' }, headers })).toMatchObject({ status: 422 })
    expect((await person.call('GET', '/api/batches?name=two')).json.items).toEqual([])
  })

  it('is free again when the request failed', async () => {
    const headers = { 'idempotency-key': 'failed' }
    const documents = ['01890000-0000-7000-8000-000000000000']
    expect((await person.call('POST', '/api/batches', { body: { name: 'x', documents }, headers })).status).toBe(404)
    expect((await person.call('POST', '/api/batches', { body: { name: 'x' }, headers })).status).toBe(201)
  })

  it("is one's own: another workspace may use the same", async () => {
    const headers = { 'idempotency-key': 'shared' }
    const [mine, theirs] = [
      await person.call('POST', '/api/batches', { body: { name: 'x' }, headers }),
      await (await api.person()).call('POST', '/api/batches', { body: { name: 'x' }, headers }),
    ]
    expect(mine.json.id).not.toBe(theirs.json.id)
  })

  it('repeats a new API key to whoever made it, though the database cannot read it', async () => {
    const headers = { 'idempotency-key': 'key' }
    const [first, second] = [
      await person.call('POST', '/api/keys', { body: { name: 'ci' }, headers }),
      await person.call('POST', '/api/keys', { body: { name: 'ci' }, headers }),
    ]
    expect(first.json.key).toMatch(/^shf_[A-Za-z0-9_-]{49}$/)
    expect(second.json).toEqual(first.json)
    const { rows } = await api.test.admin.query('select response::text from sheaf.idempotency_keys where key = $1', [
      'key',
    ])
    expect(rows[0].response).not.toContain(first.json.key)
    const other = { ...headers, authorization: `Bearer ${first.json.key}` }
    expect(await person.call('POST', '/api/keys', { body: { name: 'ci' }, headers: other })).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    })
  })

  it('makes runs and exports once', async () => {
    const id = await createBatch(person)
    const twice = (url: string, body: unknown) =>
      Promise.all([1, 2].map(() => person.call('POST', url, { body, headers: { 'idempotency-key': url } })))
    const runs = await twice(`/api/batches/${id}/runs`, { pipeline: 'read' })
    expect(runs.map(({ json }) => json.run)).toEqual([2, 2])
    const exports = await twice(`/api/batches/${id}/exports`, { format: 'jsonl' })
    expect(exports[0]!.json).toEqual(exports[1]!.json)
    expect((await person.call('GET', `/api/batches/${id}/exports`)).json.items).toHaveLength(1)
  })

  it.each(['', 'ä', 'x'.repeat(256)])('of unusable form %j is refused', async (key) => {
    const { status } = await person.call('POST', '/api/batches', {
      body: { name: 'x' },
      headers: { 'idempotency-key': key },
    })
    expect(status).toBe(400)
  })
})
