import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { UNLIMITED } from '../../src/intake/index.ts'
import { createBatch, files, form, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

const sha256 = (content: string) => createHash('sha256').update(content).digest('hex')

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi({ plan: { ...UNLIMITED, name: 'small', maxFileBytes: 1000, maxFilesPerBatch: 100 } })
  person = await api.person()
})
afterAll(() => api.close())

describe('an upload', () => {
  it('answers with a row for each file, in the order in which they came', async () => {
    const id = await createBatch(person)
    const { status, json } = await uploadFiles(person, id, {
      'b.txt': 'one',
      'sub/folder/ü 文.txt': 'two',
      'a.txt': 'one',
    })
    expect(status).toBe(201)
    expect(json).toMatchObject({ batchId: id, refused: [] })
    expect(json.accepted).toMatchObject([
      { path: 'b.txt', sha256: sha256('one'), bytes: 3, state: 'queued' },
      { path: 'sub/folder/ü 文.txt', sha256: sha256('two'), bytes: 3, state: 'queued' },
      { path: 'a.txt', sha256: sha256('one'), state: 'skipped', duplicateOf: json.accepted[0].documentId },
    ])
    const listed = (await person.call('GET', `/api/batches/${id}/documents`)).json.items
    expect(listed.map((item: { path: string }) => item.path)).toEqual(['b.txt', 'sub/folder/ü 文.txt', 'a.txt'])
    expect(listed[2]).toMatchObject({ state: 'skipped', error: { code: 'same_content' }, duplicateOf: listed[0].id })
  })

  it('keeps a row for each file it refuses', async () => {
    const id = await createBatch(person)
    const { status, json } = await uploadFiles(person, id, {
      'ok.txt': 'fine',
      'big.txt': 'x'.repeat(1001),
      'exact.txt': 'y'.repeat(1000),
      'empty.txt': '',
      '../..': 'no name',
    })
    expect(status).toBe(201)
    expect(json.accepted.map(({ path }: { path: string }) => path)).toEqual(['ok.txt', 'exact.txt'])
    expect(json.refused).toMatchObject([
      { path: 'big.txt', error: { code: 'too_large', category: 'rejected', retryable: false } },
      { path: 'empty.txt', error: { code: 'empty_file' } },
      { path: 'unnamed', error: { code: 'bad_name' } },
    ])
    expect((await person.call('GET', `/api/batches/${id}`)).json.counters).toMatchObject({
      total: 5,
      failed: 3,
      queued: 2,
    })
    expect((await person.call('GET', `/api/batches/${id}/documents?code=too_large`)).json.items).toMatchObject([
      { id: json.refused[0].documentId, sha256: null },
    ])
  })

  it('is refused as a whole when nothing in it was accepted', async () => {
    const id = await createBatch(person)
    const refused = await uploadFiles(person, id, { 'empty.txt': '' })
    expect(refused).toMatchObject({
      status: 422,
      json: { code: 'nothing_accepted', batchId: id, refused: [{ path: 'empty.txt', error: { code: 'empty_file' } }] },
    })
    const none = await person.call('POST', `/api/upload?batch_id=${id}`, form([{ name: 'key', value: 'only a field' }]))
    expect(none).toMatchObject({ status: 422, json: { code: 'nothing_accepted', refused: [] } })
    expect((await person.call('GET', `/api/batches/${id}`)).json.counters).toMatchObject({ total: 1, failed: 1 })
  })

  it('is harmless to repeat for files that have a key', async () => {
    const id = await createBatch(person)
    const body = form([
      { name: 'key', value: 'first' },
      { name: 'files', filename: 'a.txt', value: 'one' },
      { name: 'key', value: 'second' },
      { name: 'files', filename: 'b.txt', value: 'two' },
      { name: 'files', filename: 'c.txt', value: 'three' },
    ])
    const once = await person.call('POST', `/api/upload?batch_id=${id}`, body)
    const twice = await person.call('POST', `/api/upload?batch_id=${id}`, body)
    expect(twice.json.accepted.slice(0, 2)).toEqual(once.json.accepted.slice(0, 2))
    expect(twice.json.accepted[2]).toMatchObject({
      path: 'c.txt',
      state: 'skipped',
      duplicateOf: once.json.accepted[2].documentId,
    })
    expect((await person.call('GET', `/api/batches/${id}`)).json.totalDocuments).toBe(4)
  })

  it("needs a batch that exists, is one's own and takes files", async () => {
    const other = await createBatch(await api.person())
    const send = (query: string) => person.call('POST', `/api/upload${query}`, files({ 'a.txt': 'one' }))
    expect(await send('')).toMatchObject({ status: 400, json: { code: 'batch_id_required' } })
    expect(await send('?batch_id=')).toMatchObject({ status: 400, json: { code: 'batch_id_required' } })
    const foreign = await send(`?batch_id=${other}`)
    expect(foreign).toMatchObject({ status: 404, json: { code: 'not_found' } })
    const unknown = await send('?batch_id=01890000-0000-7000-8000-000000000000')
    expect({ ...unknown.json, requestId: '' }).toEqual({ ...foreign.json, requestId: '' })
    expect((await send('?batch_id=../../etc/passwd')).status).toBe(404)
    expect((await send(`?batch_id=${other}&ownerId=me`)).status).toBe(400)
  })

  it('is refused when it is no form, a broken one, or one that never ends', async () => {
    const id = await createBatch(person)
    const url = `/api/upload?batch_id=${id}`
    expect(await person.call('POST', url, { body: {} })).toMatchObject({
      status: 415,
      json: { code: 'unsupported_media_type' },
    })
    expect(
      await person.call('POST', url, { payload: 'x', headers: { 'content-type': 'application/pdf' } }),
    ).toMatchObject({ status: 415 })
    expect(
      await person.call('POST', url, { payload: 'x', headers: { 'content-type': 'multipart/form-data' } }),
    ).toMatchObject({ status: 400 })
    const whole = files({ 'a.txt': 'one', 'b.txt': 'two'.repeat(100) })
    const cut = await person.call('POST', url, { ...whole, payload: (whole.payload as Buffer).subarray(0, -150) })
    expect(cut).toMatchObject({ status: 400, json: { code: 'bad_request' } })
    expect(await person.call('POST', url, files({ ['n'.repeat(20_000)]: 'x' }))).toMatchObject({
      status: 413,
      json: { code: 'payload_too_large' },
    })
    expect(
      (
        await person.call(
          'POST',
          url,
          form([
            { name: 'key', value: 'k'.repeat(300) },
            { name: 'files', filename: 'a', value: 'x' },
          ]),
        )
      ).status,
    ).toBe(400)
    expect((await person.call('POST', url, form([{ name: '__proto__', value: 'x' }]))).status).toBe(400)
  })

  it('takes many files and gives each its place', async () => {
    const id = await createBatch(person)
    const contents = Object.fromEntries(
      Array.from({ length: 90 }, (_, i) => [`f/${String(i).padStart(3, '0')}.txt`, `content ${i}`]),
    )
    const { json } = await uploadFiles(person, id, contents)
    expect(json.accepted.map(({ path }: { path: string }) => path)).toEqual(Object.keys(contents))
    const listed = (await person.call('GET', `/api/batches/${id}/documents?limit=1000`)).json.items
    expect(listed.map(({ path }: { path: string }) => path)).toEqual(Object.keys(contents))
  })
})

describe('the limit of files in a batch', () => {
  it('lets exactly one of many parallel uploads in when one place is left', async () => {
    const id = await createBatch(person)
    await uploadFiles(person, id, Object.fromEntries(Array.from({ length: 99 }, (_, i) => [`${i}`, `content ${i}`])))
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => uploadFiles(person, id, { [`last ${i}`]: `last ${i}` })),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    const refused = answers.filter(({ status }) => status === 422)
    expect(refused).toHaveLength(29)
    expect(refused[0]!.json.refused[0].error.code).toBe('too_many_files')
  })
})

describe('many uploads at once', () => {
  it('wait for their turn, and are told when to come again when too many wait', async () => {
    const ids = [await createBatch(person), await createBatch(person)]
    const answers = await Promise.all(
      Array.from({ length: 130 }, (_, i) => uploadFiles(person, ids[i % 2]!, { [`${i}`]: `${i}` })),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201, 429]))
    const turnedAway = answers.filter(({ status }) => status === 429)
    expect(turnedAway.length).toBeGreaterThan(0)
    expect(turnedAway.length).toBeLessThanOrEqual(130 - 106)
    expect(turnedAway[0]).toMatchObject({ json: { code: 'too_many_requests' }, headers: { 'retry-after': '1' } })
  })
})

describe('stored contents', () => {
  it('are known by their hash inside the own workspace only', async () => {
    const id = await createBatch(person)
    await uploadFiles(person, id, { 'a.txt': 'well known' })
    const body = { sha256: [sha256('never seen'), sha256('well known')] }
    expect((await person.call('POST', '/api/uploads/check', { body })).json).toEqual({ known: [sha256('well known')] })
    expect((await (await api.person()).call('POST', '/api/uploads/check', { body })).json).toEqual({ known: [] })
    expect((await person.call('POST', '/api/uploads/check', { body: { sha256: ['abc'] } })).status).toBe(400)
    expect(
      (
        await person.call('POST', '/api/uploads/check', {
          body: { sha256: Array.from({ length: 1001 }, () => sha256('')) },
        })
      ).status,
    ).toBe(400)
  })

  it('are used again in another batch without sending a byte', async () => {
    const first = await createBatch(person)
    const { accepted } = (
      await uploadFiles(person, first, { 'sub/a.txt': 'again one', 'b.txt': 'again two', 'none.txt': '' })
    ).json
    const documents = [accepted[1].documentId, accepted[0].documentId]
    const second = await person.call('POST', '/api/batches', { body: { name: 'again', documents } })
    expect(second).toMatchObject({ status: 201, json: { status: 'queued', totalDocuments: 2 } })
    const { items } = (await person.call('GET', `/api/batches/${second.json.id}/documents`)).json
    expect(items).toMatchObject([
      { path: 'b.txt', sha256: sha256('again two'), state: 'queued' },
      { path: 'sub/a.txt' },
    ])
    expect(documents).not.toContain(items[0].id)
    const content = await person.call('GET', `/api/documents/${items[1].id}/content`)
    expect(content.text).toBe('again one')
  })

  it('of others, without bytes, or lost are not used', async () => {
    const stranger = await api.person()
    const id = await createBatch(person)
    const { accepted, refused } = (await uploadFiles(person, id, { 'a.txt': 'soon lost', 'none.txt': '' })).json
    const reuse = (who: Person, documentId: string) =>
      who.call('POST', '/api/batches', { body: { name: 'x', documents: [documentId] } })
    expect(await reuse(stranger, accepted[0].documentId)).toMatchObject({ status: 404, json: { code: 'not_found' } })
    expect((await reuse(person, refused[0].documentId)).status).toBe(404)
    await api.store.delete(`${person.workspaceId}/source/${sha256('soon lost')}`)
    expect(await reuse(person, accepted[0].documentId)).toMatchObject({ status: 500, json: { code: 'blob_missing' } })
    expect((await person.call('GET', '/api/batches?name=x')).json.items).toEqual([])
  })
})

describe('the number of batches of a plan', () => {
  it('is kept when many are created at once', async () => {
    const limited = await startTestApi({ plan: { ...UNLIMITED, name: 'tiny', maxBatches: 2 } })
    try {
      const somebody = await limited.person()
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => somebody.call('POST', '/api/batches', { body: { name: 'x' } })),
      )
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(2)
      expect(answers.find(({ status }) => status === 402)!.json).toMatchObject({
        code: 'plan_limit',
        category: 'quota',
        limit: 2,
        used: 2,
      })
      const limits = (await somebody.call('GET', '/api/limits')).json
      expect(limits).toMatchObject({ plan: { name: 'tiny', maxBatches: 2, maxFileBytes: null }, uploadsAtOnce: 6 })
    } finally {
      await limited.close()
    }
  })
})

describe('the bytes that a plan stores', () => {
  it('are kept when uploads to several batches come at once', async () => {
    const limited = await startTestApi({ plan: { ...UNLIMITED, name: 'small disk', maxStoredBytes: 250 } })
    try {
      const somebody = await limited.person()
      const batches = await Promise.all(Array.from({ length: 4 }, () => createBatch(somebody)))
      const answers = await Promise.all(
        batches.map((batch, i) => uploadFiles(somebody, batch, { 'a.txt': `${i}`.repeat(100) })),
      )
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(2)
      expect(answers.find(({ status }) => status === 402)!.json).toMatchObject({
        code: 'plan_limit',
        limit: 250,
        used: 200,
      })
    } finally {
      await limited.close()
    }
  })
})
