import { zstdCompressSync } from 'node:zlib'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatch, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

let api: TestApi
let person: Person
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
})
afterAll(() => api.close())

interface End {
  state: string
  code?: string
  category?: string
}

/** What a worker does to a document, written by the administrator. */
async function endDocument(documentId: string, { state, code, category }: End): Promise<void> {
  const error = code && {
    code,
    category,
    stage: 'parse',
    retryable: false,
    message: `${code} happened.`,
    action: 'Do something.',
    attempt: 1,
    at: '2026-01-01T00:00:00.000Z',
  }
  await api.test.admin.query(
    `update sheaf.jobs set state = $2, error = $3, error_code = $4, error_category = $5, attempt = 1, attempts_used = 1, stage = 'parse', started_at = now(),
      attempt_started_at = now(), ended_at = now(), pages = 2, words = 7, issue_count = 1, language = 'en', parse_ms = 12.5 where document_id = $1`,
    [documentId, state, error ? JSON.stringify(error) : null, code ?? null, category ?? null],
  )
}

async function storeReading(documentId: string, text: string): Promise<void> {
  const key = `${person.workspaceId}/reading/${documentId}-1`
  const reading = {
    schema: 'sheaf.document/1',
    pages: [{ number: 1, blocks: [{ text: 'not "this" {text}' }] }],
    title: null,
    issues: [],
    text,
  }
  const staged = await api.store.stage(Readable.from([zstdCompressSync(JSON.stringify(reading))]))
  await staged.commit(key)
  await api.test.admin.query(
    `insert into sheaf.results (workspace_id, batch_id, run_number, document_id, stage, generation, blob_key, data)
     select workspace_id, batch_id, 1, id, 'parse', 1, $2, $3 from sheaf.documents where id = $1`,
    [documentId, key, JSON.stringify({ issues: [{ code: 'odd', page: 1, message: 'Odd.' }] })],
  )
}

async function upload(contents: Record<string, string>): Promise<{ batchId: string; ids: string[] }> {
  const batchId = await createBatch(person)
  const { json } = await uploadFiles(person, batchId, contents)
  return { batchId, ids: json.accepted.map((one: { documentId: string }) => one.documentId) }
}

describe('the documents of a batch', () => {
  it('come in input order, page by page, and never twice', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${12 - i}.txt`)
    const { batchId } = await upload(Object.fromEntries(names.map((name) => [name, `content of ${name}`])))
    const seen: string[] = []
    let query = '?limit=5'
    for (;;) {
      const { json } = await person.call('GET', `/api/batches/${batchId}/documents${query}`)
      seen.push(...json.items.map(({ path }: { path: string }) => path))
      if (json.nextCursor === null) break
      query = `?limit=5&cursor=${json.nextCursor}`
    }
    expect(seen).toEqual(names)
  })

  it('can be filtered by state, error, type and path', async () => {
    const { batchId, ids } = await upload({ 'x/a.txt': '1', 'x/b.txt': '2', 'y/c.txt': '3', 'xy.txt': '4' })
    await endDocument(ids[1]!, { state: 'failed', code: 'bad_pdf', category: 'corrupt' })
    await endDocument(ids[2]!, { state: 'failed', code: 'parser_timeout', category: 'timeout' })
    await api.test.admin.query("update sheaf.documents set media_type = 'application/pdf' where id = $1", [ids[0]])
    const paths = async (query: string) =>
      (await person.call('GET', `/api/batches/${batchId}/documents?${query}`)).json.items.map(
        ({ path }: { path: string }) => path,
      )
    expect(await paths('state=failed')).toEqual(['x/b.txt', 'y/c.txt'])
    expect(await paths('category=timeout')).toEqual(['y/c.txt'])
    expect(await paths('code=bad_pdf&state=failed')).toEqual(['x/b.txt'])
    expect(await paths('mediaType=application/pdf')).toEqual(['x/a.txt'])
    expect(await paths('path=x/')).toEqual(['x/a.txt', 'x/b.txt'])
    expect(await paths('path=%25')).toEqual([])
    expect(await paths('type=invoice')).toEqual([])
    expect((await person.call('GET', `/api/batches/${batchId}/documents?state=lost`)).status).toBe(400)
    expect((await person.call('GET', `/api/batches/${batchId}/documents?sort=path`)).status).toBe(400)
  })

  it('have their details in the list when asked for, without their text', async () => {
    const { batchId, ids } = await upload({ 'a.txt': 'details' })
    await endDocument(ids[0]!, { state: 'succeeded' })
    await storeReading(ids[0]!, 'the text')
    await api.test.admin.query(
      "insert into sheaf.attempts (workspace_id, job_id, number, generation, outcome, started_at) select workspace_id, id, 0, 1, 'released', now() from sheaf.jobs where document_id = $1",
      [ids[0]],
    )
    const short = (await person.call('GET', `/api/batches/${batchId}/documents`)).json.items[0]
    expect(short).toMatchObject({
      state: 'succeeded',
      issues: 1,
      attempts: 1,
      pages: 2,
      words: 7,
      language: 'en',
      error: null,
      parent: null,
    })
    const [full] = (await person.call('GET', `/api/batches/${batchId}/documents?full=true`)).json.items
    expect(full).toMatchObject({
      parseMs: 12.5,
      fields: {},
      authorship: null,
      cluster: null,
      issues: [{ code: 'odd', page: 1, message: 'Odd.' }],
      attempts: [
        { number: 0, outcome: 'released' },
        { number: 1, generation: 1, outcome: 'succeeded', stage: 'parse', error: null },
      ],
    })
    expect(JSON.stringify(full)).not.toContain('the text')
    expect((await person.call('GET', `/api/documents/${ids[0]}`)).json).toEqual(full)
  })
})

describe('the content of a document', () => {
  it('is handed back byte by byte, as a download that can do nothing', async () => {
    const { ids } = await upload({ 'sub/Übersicht (2)%.html': '<script>alert(1)</script>' })
    const { status, headers, text } = await person.call('GET', `/api/documents/${ids[0]}/content`)
    expect({ status, text }).toEqual({ status: 200, text: '<script>alert(1)</script>' })
    expect(headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename="_bersicht (2)_.html"; filename*=UTF-8''%C3%9Cbersicht%20%282%29%25.html`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-length': '25',
    })
  })

  it('can be read in ranges', async () => {
    const { ids } = await upload({ digits: '0123456789' })
    const url = `/api/documents/${ids[0]}/content`
    const range = (field: string, more: Record<string, string> = {}) =>
      person.call('GET', url, { headers: { range: field, ...more } })
    expect(await range('bytes=2-4')).toMatchObject({
      status: 206,
      text: '234',
      headers: { 'content-range': 'bytes 2-4/10', 'content-length': '3' },
    })
    expect(await range('bytes=7-')).toMatchObject({ status: 206, text: '789' })
    expect(await range('bytes=-2')).toMatchObject({ status: 206, text: '89' })
    expect(await range('bytes=5-100')).toMatchObject({ status: 206, text: '56789' })
    expect(await range('bytes=10-')).toMatchObject({ status: 416, json: { code: 'range_not_satisfiable', size: 10 } })
    expect(await range('bytes=0-1,3-4')).toMatchObject({ status: 200, text: '0123456789' })
    expect(await range('pages=1-2')).toMatchObject({ status: 200 })
    const { headers } = await person.call('GET', url)
    expect(await range('bytes=0-0', { 'if-range': headers['etag']! })).toMatchObject({ status: 206, text: '0' })
    expect(await range('bytes=0-0', { 'if-range': '"other"' })).toMatchObject({ status: 200 })
    expect((await person.call('GET', url, { headers: { 'if-none-match': headers['etag']! } })).status).toBe(304)
  })

  it('is gone with the batch when that has expired, and missing when the store lost it', async () => {
    const { batchId, ids } = await upload({ a: 'expires' })
    await api.store.delete(
      `${person.workspaceId}/source/${(await person.call('GET', `/api/documents/${ids[0]}`)).json.sha256}`,
    )
    expect(await person.call('GET', `/api/documents/${ids[0]}/content`)).toMatchObject({
      status: 500,
      json: { code: 'blob_missing' },
    })
    await api.test.admin.query(
      "update sheaf.batches set intake = 'closed', status = 'expired', ended_as = 'completed' where id = $1",
      [batchId],
    )
    expect(await person.call('GET', `/api/documents/${ids[0]}/content`)).toMatchObject({
      status: 410,
      json: { code: 'batch_expired' },
    })
    expect(await person.call('POST', `/api/batches/${batchId}/exports`, { body: { format: 'csv' } })).toMatchObject({
      status: 410,
    })
  })
})

describe('the text of a document', () => {
  it('is what reading found, in reading order', async () => {
    const { ids } = await upload({ 'a.txt': 'to be read' })
    const url = `/api/documents/${ids[0]}/text`
    expect(await person.call('GET', url)).toMatchObject({
      status: 404,
      json: { detail: 'The document has not been read.' },
    })
    const text = `Line "one" \\ two\n\t"text":"no" {[ 文 😀 \u0001 ${'long '.repeat(50_000)}end`
    await storeReading(ids[0]!, text)
    const answer = await person.call('GET', url)
    expect(answer.status).toBe(200)
    expect(answer.text).toBe(text)
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
  })
})

describe('a document that waits for a password', () => {
  it('is read again with the one that is given', async () => {
    const { batchId, ids } = await upload({ 'locked.pdf': 'locked' })
    const url = `/api/documents/${ids[0]}/password`
    expect(await person.call('POST', url, { body: { password: 'x' } })).toMatchObject({
      status: 409,
      json: { code: 'state_conflict' },
    })
    await endDocument(ids[0]!, { state: 'needs_input', code: 'password_required', category: 'encrypted' })
    expect(await person.call('POST', url, { body: { password: 'open sesame' } })).toMatchObject({
      status: 202,
      json: { matched: 1, retried: 1 },
    })
    const { items } = (await person.call('GET', `/api/batches/${batchId}/documents?full=true`)).json
    expect(items[0]).toMatchObject({
      state: 'queued',
      error: null,
      attempts: [{ number: 1, outcome: 'needs_input', error: { code: 'password_required' } }],
    })
    expect(JSON.stringify(items)).not.toContain('sesame')
    const { rows } = await api.test.admin.query('select secret from sheaf.jobs where document_id = $1', [ids[0]])
    expect(rows).toEqual([{ secret: 'open sesame' }])
    expect((await person.call('POST', url, { body: { password: '' } })).status).toBe(400)
  })
})

describe('the status of a batch', () => {
  it('is the row of 19 columns', async () => {
    const { batchId, ids } = await upload({ a: '1', b: '2', c: '3' })
    await endDocument(ids[0]!, { state: 'succeeded' })
    await endDocument(ids[1]!, { state: 'failed', code: 'bad_pdf', category: 'corrupt' })
    const { status, json } = await person.call('GET', `/api/batches/${batchId}/status`)
    expect(status).toBe(200)
    expect(Object.keys(json)).toEqual([
      'batch_id',
      'batch_created_at',
      'batch_status',
      'total_files',
      'total_documents',
      'completed_count',
      'failed_count',
      'in_progress_count',
      'queued_count',
      'permanent_failures',
      'max_retries',
      'error_messages',
      'latest_error_at',
      'batch_started_at',
      'batch_completed_at',
      'processing_hours',
      'error_rate_percentage',
      'computed_status',
      'top_error_types',
    ])
    expect(json).toMatchObject({
      batch_id: batchId,
      batch_status: 'queued',
      total_files: 3,
      total_documents: 3,
      completed_count: 1,
      failed_count: 1,
      in_progress_count: 0,
      queued_count: 1,
      permanent_failures: 1,
      error_messages: 'bad_pdf happened.',
      batch_completed_at: null,
      error_rate_percentage: 33.33,
      computed_status: 'processing',
      top_error_types: [
        { category: 'corrupt', code: 'bad_pdf', message: 'bad_pdf happened.', count: 1, sample_document_id: ids[1] },
      ],
    })
    for (const time of ['batch_created_at', 'latest_error_at', 'batch_started_at'])
      expect(json[time]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('of an empty batch has no error and no times', async () => {
    const { json } = await person.call('GET', `/api/batches/${await createBatch(person)}/status`)
    expect(json).toMatchObject({
      batch_status: 'queued',
      total_files: 0,
      total_documents: 0,
      error_messages: '',
      error_rate_percentage: 0,
      top_error_types: [],
      max_retries: 0,
      latest_error_at: null,
      batch_started_at: null,
      batch_completed_at: null,
      processing_hours: null,
      computed_status: 'completed',
    })
  })
})

describe('what a batch leaves behind', () => {
  it('is a manifest of every byte received', async () => {
    const batchId = await createBatch(person)
    await uploadFiles(person, batchId, { 'a, b.txt': 'one', empty: '', '=cmd()': 'two' })
    const { status, headers, text } = await person.call('GET', `/api/batches/${batchId}/manifest`)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': expect.stringContaining('attachment; filename="manifest.csv"'),
    })
    const lines = text.trim().split('\r\n')
    expect(lines[0]).toBe('path,sha256,bytes,state,error_code')
    expect(lines[1]).toMatch(/^"a, b\.txt",[0-9a-f]{64},3,queued,$/)
    expect(lines[2]).toMatch(/^empty,[0-9a-f]*,0,failed,empty_file$/)
    expect(lines[3]).toMatch(/^'=cmd\(\),/)
  })

  it('is a summary of each run that was finalised', async () => {
    const batchId = await createBatch(person)
    expect((await person.call('GET', `/api/batches/${batchId}/summary`)).json).toMatchObject({
      run: 1,
      revision: 0,
      summary: null,
      counters: { total: 0 },
    })
    await api.test.admin.query(
      'update sheaf.runs set revision = 2, summary = \'{"documents": 5}\' where batch_id = $1',
      [batchId],
    )
    expect((await person.call('GET', `/api/batches/${batchId}/summary`)).json).toMatchObject({
      revision: 2,
      summary: { documents: 5, revision: 2 },
    })
  })

  it('is an export that a worker writes, downloadable only when it is complete', async () => {
    const { batchId } = await upload({ a: 'exported' })
    const created = await person.call('POST', `/api/batches/${batchId}/exports`, { body: { format: 'csv' } })
    expect(created).toMatchObject({
      status: 201,
      json: { batchId, run: 1, format: 'csv', state: 'queued', contentUrl: null },
    })
    const url = created.headers['location']!
    expect((await person.call('GET', url)).json).toEqual(created.json)
    expect((await person.call('GET', `/api/batches/${batchId}/exports`)).json).toEqual({
      items: [created.json],
      nextCursor: null,
    })
    expect(await person.call('GET', `${url}/content`)).toMatchObject({ status: 409, json: { code: 'state_conflict' } })
    const jobs = await api.test.admin.query("select data from sheaf.jobs where kind = 'export' and batch_id = $1", [
      batchId,
    ])
    expect(jobs.rows[0].data).toMatchObject({ exportId: created.json.id, format: 'csv' })
    const staged = await api.store.stage(Readable.from(['path\r\na\r\n']))
    await staged.commit(`${person.workspaceId}/export/${created.json.id}`)
    await api.test.admin.query(
      "update sheaf.exports set state = 'completed', blob_key = $2, sha256 = $3, bytes = 9, completed_at = now() where id = $1",
      [created.json.id, `${person.workspaceId}/export/${created.json.id}`, staged.sha256],
    )
    expect((await person.call('GET', url)).json).toMatchObject({
      state: 'completed',
      bytes: 9,
      contentUrl: `${url}/content`,
    })
    const content = await person.call('GET', `${url}/content`)
    expect(content).toMatchObject({
      status: 200,
      text: 'path\r\na\r\n',
      headers: { 'content-disposition': expect.stringContaining('a batch run 1.csv') },
    })
    expect((await person.call('POST', `/api/batches/${batchId}/exports`, { body: { format: 'docx' } })).status).toBe(
      400,
    )
  })
})
