import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatch, form, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
})
afterAll(() => api.close())

describe('a new batch', () => {
  it('is open and empty, and says where it is and which version it has', async () => {
    const { status, json, headers } = await person.call('POST', '/api/batches', { body: { name: 'Q1 review' } })
    expect(status).toBe(201)
    expect(json).toMatchObject({
      name: 'Q1 review',
      description: null,
      intake: 'open',
      status: 'open',
      phase: 'OPEN',
      startPolicy: 'on_arrival',
      priority: 'normal',
      pipeline: { preset: 'read' },
      extractionPrompt: null,
      promptStrategy: null,
      run: 1,
      totalDocuments: 0,
      processedDocuments: 0,
      progress: 0,
      error: null,
      summary: null,
      createdBy: null,
      workspaceId: person.workspaceId,
      completedAt: null,
      timestamps: {
        queued: null,
        started: null,
        paused: null,
        closed: null,
        finalizing: null,
        ended: null,
        expires: null,
      },
    })
    expect(Object.values(json.counters)).toEqual(Array.from({ length: 11 }, () => 0))
    expect(json.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(headers['location']).toBe(`/api/batches/${json.id}`)
    expect(headers['etag']).toBe('"1"')
    const read = await person.call('GET', `/api/batches/${json.id}`)
    expect(read.json).toEqual(json)
    expect(read.headers['etag']).toBe('"1"')
  })

  it.each([
    ['auto_detect', 'auto'],
    ['auto-detect', 'auto'],
    ['auto', 'auto'],
    ['global', 'global'],
    ['per_document', 'per_document'],
  ])('takes the prompt strategy %s as %s, from JSON and from a form', async (given, stored) => {
    const prompts = { promptStrategy: given, globalPrompt: 'the total', perDocPrompts: { a: 'the date' } }
    const asJson = await person.call('POST', '/api/batches', { body: { name: 'invoices', ...prompts } })
    const asForm = await person.call(
      'POST',
      '/api/batches',
      form([
        { name: 'name', value: 'invoices' },
        { name: 'promptStrategy', value: given },
        { name: 'globalPrompt', value: 'the total' },
        { name: 'perDocPrompts', value: '{"a":"the date"}' },
      ]),
    )
    for (const { status, json } of [asJson, asForm]) {
      expect(status).toBe(201)
      expect(json).toMatchObject({
        promptStrategy: stored,
        extractionPrompt: stored === 'per_document' ? '{"a":"the date"}' : 'the total',
      })
      expect(json.pipeline.extract).toEqual({ strategy: stored, prompt: 'the total', prompts: { a: 'the date' } })
    }
  })

  it('keeps the passwords of its pipeline to itself', async () => {
    const { json } = await person.call('POST', '/api/batches', {
      body: { name: 'secret', pipeline: { read: { ocr: 'never', passwords: ['hush-hush'] } } },
    })
    expect(json.pipeline).toEqual({ read: { ocr: 'never' } })
    const stored = await api.test.admin.query('select pipeline, passwords from sheaf.runs where batch_id = $1', [
      json.id,
    ])
    expect(stored.rows[0]).toEqual({ pipeline: { read: { ocr: 'never' } }, passwords: ['hush-hush'] })
  })

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x', ownerId: 'me' }, 'ownerId'],
    [{ name: 'x', status: 'completed' }, 'status'],
    [{ name: 'x', pipeline: { read: { speed: 9 } } }, 'pipeline'],
    [{ name: 'a\0b' }, 'name'],
    [{ name: 'x', pipeline: 'everything' }, 'pipeline'],
  ])('is refused for %j, naming the field', async (body, field) => {
    const { status, json } = await person.call('POST', '/api/batches', { body })
    expect(status).toBe(400)
    expect(json).toMatchObject({ code: 'bad_request', category: 'rejected', status: 400 })
    expect(json.detail).toContain(field)
  })
})

describe('the life of a batch', () => {
  it('goes from open over closed to finalizing, and closing it twice changes nothing', async () => {
    const id = await createBatch(person)
    expect((await uploadFiles(person, id, { 'a.txt': 'one', 'sub/b.txt': 'two' })).status).toBe(201)
    const queued = await person.call('GET', `/api/batches/${id}`)
    expect(queued.json).toMatchObject({
      status: 'queued',
      phase: 'OPEN',
      totalDocuments: 2,
      processedDocuments: 0,
      counters: { total: 2, queued: 2 },
    })
    const closed = await person.call('POST', `/api/batches/${id}/close`)
    expect(closed).toMatchObject({ status: 200, json: { intake: 'closed', phase: 'PROCESSING', status: 'queued' } })
    const again = await person.call('POST', `/api/batches/${id}/close`)
    expect(again.json).toEqual(closed.json)
    const late = await uploadFiles(person, id, { 'c.txt': 'three' })
    expect(late).toMatchObject({ status: 409, json: { code: 'batch_closed' } })
  })

  it('can be paused, resumed and cancelled, and says so', async () => {
    const id = await createBatch(person)
    await uploadFiles(person, id, { 'a.txt': 'one' })
    expect((await person.call('POST', `/api/batches/${id}/pause`)).json.status).toBe('paused')
    expect((await person.call('POST', `/api/batches/${id}/resume`)).json.status).toBe('queued')
    const { json } = await person.call('POST', `/api/batches/${id}/cancel`)
    expect(json).toMatchObject({ intake: 'closed', counters: { cancelled: 1 }, progress: 1 })
    expect(['cancelling', 'finalizing']).toContain(json.status)
    const resumed = await person.call('POST', `/api/batches/${id}/resume`)
    expect(resumed).toMatchObject({ status: 409, json: { code: 'state_conflict' } })
  })

  it('takes cancelled documents back with a retry, counting them first when asked to', async () => {
    const id = await createBatch(person)
    await uploadFiles(person, id, { 'a.txt': 'one', 'b.txt': 'two' })
    await person.call('POST', `/api/batches/${id}/cancel`)
    const counted = await person.call('POST', `/api/batches/${id}/retry`, {
      body: { where: { category: 'cancelled', path: 'a.txt' }, dryRun: true },
    })
    expect(counted).toMatchObject({ status: 200, json: { matched: 1, retried: 0 } })
    const retried = await person.call('POST', `/api/batches/${id}/retry`)
    expect(retried).toMatchObject({ status: 200, json: { matched: 2, retried: 2 } })
    expect((await person.call('GET', `/api/batches/${id}`)).json).toMatchObject({
      status: 'queued',
      counters: { queued: 2, cancelled: 0 },
    })
  })

  it('keeps earlier runs readable beside the present one', async () => {
    const id = await createBatch(person)
    await uploadFiles(person, id, { 'a.txt': 'one' })
    await api.test.admin.query(
      "update sheaf.jobs set state = 'succeeded', ended_at = now() where batch_id = $1 and kind = 'document'",
      [id],
    )
    await api.test.admin.query("update sheaf.batches set status = 'open' where id = $1", [id])
    const { status, json, headers } = await person.call('POST', `/api/batches/${id}/runs`, {
      body: { pipeline: { limits: { pageSeconds: 5 } } },
    })
    expect(status).toBe(201)
    expect(headers['location']).toBe(`/api/batches/${id}?run=2`)
    expect(json).toMatchObject({
      run: 2,
      counters: { total: 1, queued: 1, succeeded: 0 },
      pipeline: { limits: { pageSeconds: 5 } },
    })
    expect((await person.call('GET', `/api/batches/${id}?run=1`)).json).toMatchObject({
      run: 1,
      counters: { total: 1, succeeded: 1 },
      pipeline: { preset: 'read' },
      progress: 1,
    })
    expect((await person.call('GET', `/api/batches/${id}/documents?run=1`)).json.items[0]).toMatchObject({
      run: 1,
      state: 'succeeded',
    })
    expect((await person.call('GET', `/api/batches/${id}/documents`)).json.items[0]).toMatchObject({
      run: 2,
      state: 'queued',
    })
    expect((await person.call('GET', `/api/batches/${id}?run=3`)).status).toBe(404)
    expect((await person.call('POST', `/api/batches/${id}/runs`, { body: { pipeline: 'read' } })).json.code).toBe(
      'state_conflict',
    )
  })

  it('vanishes at once when deleted and leaves a receipt', async () => {
    const id = await createBatch(person, { name: 'to go' })
    await uploadFiles(person, id, { 'a.txt': 'one' })
    const { headers } = await person.call('GET', `/api/batches/${id}`)
    const { status, json } = await person.call('DELETE', `/api/batches/${id}`, {
      headers: { 'if-match': headers['etag']! },
    })
    expect(status).toBe(202)
    expect(json).toEqual({ batchId: id, receiptUrl: `/api/deletions/${id}` })
    expect((await person.call('GET', json.receiptUrl)).json).toMatchObject({
      batchId: id,
      batchName: 'to go',
      completedAt: null,
      receipt: null,
    })
    for (const path of ['', '/status', '/documents', '/summary', '/manifest', '/exports', '/events']) {
      expect((await person.call('GET', `/api/batches/${id}${path}`)).status).toBe(404)
    }
    expect((await uploadFiles(person, id, { 'b.txt': 'two' })).status).toBe(404)
    expect((await person.call('DELETE', `/api/batches/${id}`, { headers: { 'if-match': '*' } })).status).toBe(404)
  })
})

describe('versions', () => {
  it('are asked for by PATCH and DELETE, and a stale one changes nothing', async () => {
    const id = await createBatch(person, { description: 'old' })
    const url = `/api/batches/${id}`
    expect(await person.call('PATCH', url, { body: { name: 'x' } })).toMatchObject({
      status: 428,
      json: { code: 'if_match_required' },
    })
    expect(await person.call('DELETE', url)).toMatchObject({ status: 428, json: { code: 'if_match_required' } })
    const changed = await person.call('PATCH', url, {
      body: { name: 'new', description: null, priority: 'urgent' },
      headers: { 'if-match': '"1"' },
    })
    expect(changed).toMatchObject({ status: 200, json: { name: 'new', description: null, priority: 'urgent' } })
    expect(changed.headers['etag']).toBe('"2"')
    for (const stale of ['"1"', 'W/"2"', '"elsewhere"']) {
      expect(await person.call('PATCH', url, { body: { name: 'x' }, headers: { 'if-match': stale } })).toMatchObject({
        status: 412,
        json: { code: 'stale_etag' },
      })
      expect((await person.call('DELETE', url, { headers: { 'if-match': stale } })).status).toBe(412)
    }
    expect((await person.call('PATCH', url, { body: { name: 'x' }, headers: { 'if-match': 'two' } })).status).toBe(400)
    expect(
      (await person.call('PATCH', url, { body: { name: 'listed' }, headers: { 'if-match': '"7", "2"' } })).json.name,
    ).toBe('listed')
  })

  it('make a double click act once where the client sends them', async () => {
    const id = await createBatch(person)
    const { headers } = await person.call('GET', `/api/batches/${id}`)
    const clicks = await Promise.all(
      [1, 2].map(() => person.call('POST', `/api/batches/${id}/pause`, { headers: { 'if-match': headers['etag']! } })),
    )
    expect(new Set(clicks.map(({ status }) => status))).toEqual(new Set([200, 412]))
    const events = await api.test.admin.query(
      "select count(*)::int as n from sheaf.events where batch_id = $1 and type = 'batch.updated'",
      [id],
    )
    expect(events.rows[0].n).toBe(1)
  })
})

describe('the list of batches', () => {
  it('goes through all of them once, the newest first, page by page', async () => {
    const reader = await api.person()
    const created: string[] = []
    for (let i = 0; i < 7; i++) created.push(await createBatch(reader, { name: `batch ${i % 2}` }))
    const seen: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const { json } = await reader.call(
        'GET',
        `/api/batches?limit=3${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
      )
      seen.push(...json.items.map((item: { id: string }) => item.id))
      cursor = json.nextCursor
    }
    expect(seen).toEqual(created.toReversed())
    expect((await reader.call('GET', '/api/batches?name=batch%201')).json.items).toHaveLength(3)
    expect((await reader.call('GET', '/api/batches?status=paused')).json.items).toHaveLength(0)
  })

  it.each(['nonsense', 'bm9uc2Vuc2U', 'WzFd.AAAAAAAAAAAAAAAAAAAAAA', '..', "' or 1=1 --"])(
    'refuses the made-up cursor %s',
    async (cursor) => {
      expect(await person.call('GET', `/api/batches?cursor=${encodeURIComponent(cursor)}`)).toMatchObject({
        status: 400,
        json: { code: 'bad_request' },
      })
    },
  )

  it('refuses a cursor of another list or another person', async () => {
    const [a, b] = [await api.person(), await api.person()]
    for (let i = 0; i < 2; i++) await createBatch(a)
    const { nextCursor } = (await a.call('GET', '/api/batches?limit=1')).json
    expect((await a.call('GET', `/api/batches?limit=1&cursor=${nextCursor}`)).status).toBe(200)
    expect((await b.call('GET', `/api/batches?cursor=${nextCursor}`)).status).toBe(400)
    expect((await a.call('GET', `/api/keys?cursor=${nextCursor}`)).status).toBe(400)
  })
})

describe('a pipeline with steps that this version does not have', () => {
  it.each([{ pipeline: 'authorship' }, { pipeline: { preset: 'full' } }, { pipeline: { priorityBy: [] } }])(
    'is refused, not accepted and left undone: %j',
    async (body) => {
      expect(await person.call('POST', '/api/batches', { body: { name: 'x', ...body } })).toMatchObject({
        status: 400,
        json: { code: 'bad_request' },
      })
    },
  )
})
