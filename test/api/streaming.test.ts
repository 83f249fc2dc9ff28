import { once } from 'node:events'
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBatch, startTestApi, type Person, type TestApi } from './support.ts'

const BOUNDARY = 'streaming-test'
const MB = 1024 * 1024

let api: TestApi
let person: Person
let base: string
beforeAll(async () => {
  api = await startTestApi()
  person = await api.person()
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => api.close())

function startUpload(batchId: string, headers: Record<string, string> = {}): ClientRequest {
  const upload = request(`${base}/api/upload?batch_id=${batchId}`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${person.key}`,
      'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
      ...headers,
    },
  })
  upload.flushHeaders()
  return upload
}

async function send(upload: ClientRequest, bytes: Buffer | string): Promise<void> {
  if (!upload.write(bytes)) await once(upload, 'drain')
}

const head = (name: string) =>
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="files"; filename="${name}"\r\n\r\n`
const END = `\r\n--${BOUNDARY}--\r\n`

async function answerOf(upload: ClientRequest): Promise<{ status: number; json: Record<string, unknown> }> {
  const [response] = (await once(upload, 'response')) as [IncomingMessage]
  return { status: response.statusCode!, json: (await json(response)) as Record<string, unknown> }
}

describe('a large upload', () => {
  it('streams through: memory stays flat and others are answered meanwhile', async () => {
    const batchId = await createBatch(person)
    const upload = startUpload(batchId)
    const answer = answerOf(upload)
    await send(upload, head('large.bin'))
    const before = process.memoryUsage().rss
    let peak = before
    const chunk = Buffer.alloc(MB, 'x')
    const others: number[] = []
    for (let i = 0; i < 256; i++) {
      await send(upload, chunk)
      peak = Math.max(peak, process.memoryUsage().rss)
      if (i % 64 === 63) others.push((await person.call('GET', `/api/batches/${batchId}/status`)).status)
    }
    upload.end(END)
    const { status, json: uploaded } = await answer
    expect(others).toEqual([200, 200, 200, 200])
    expect(status).toBe(201)
    expect(uploaded['accepted']).toMatchObject([{ path: 'large.bin', bytes: 256 * MB }])
    // sender and server share this process
    expect((peak - before) / MB).toBeLessThan(128)
  })

  it('has its first files admitted while the later ones are still on their way', async () => {
    const batchId = await createBatch(person)
    const upload = startUpload(batchId)
    const answer = answerOf(upload)
    await send(upload, `${head('first.txt')}one\r\n${head('second.txt')}tw`)
    const total = async () =>
      ((await person.call('GET', `/api/batches/${batchId}`)).json as { totalDocuments: number }).totalDocuments
    await expect.poll(total).toBe(1)
    upload.end(`o${END}`)
    expect((await answer).status).toBe(201)
    expect(await total()).toBe(2)
  })
})

describe('an upload that breaks off', () => {
  it('leaves what was complete and nothing of the rest', async () => {
    const batchId = await createBatch(person)
    const upload = startUpload(batchId)
    upload.on('error', () => {})
    await send(upload, `${head('whole.txt')}all of it\r\n${head('part.txt')}${'x'.repeat(100_000)}`)
    const paths = async () =>
      ((await person.call('GET', `/api/batches/${batchId}/documents`)).json as { items: { path: string }[] }).items.map(
        ({ path }) => path,
      )
    await expect.poll(paths).toEqual(['whole.txt'])
    upload.destroy()
    await expect.poll(() => api.store.sweep(-1)).toBe(0)
    expect(await paths()).toEqual(['whole.txt'])
  })

  it('is told that the batch was closed meanwhile, and what was accepted before', async () => {
    const batchId = await createBatch(person)
    const upload = startUpload(batchId)
    const answer = answerOf(upload)
    await send(upload, `${head('in-time.txt')}one\r\n${head('late.txt')}t`)
    await expect
      .poll(
        async () =>
          ((await person.call('GET', `/api/batches/${batchId}`)).json as { totalDocuments: number }).totalDocuments,
      )
      .toBe(1)
    await person.call('POST', `/api/batches/${batchId}/close`)
    await send(upload, `wo\r\n${head('later.txt')}`)
    const { status, json: problem } = await answer
    upload.end(END)
    expect(status).toBe(409)
    expect(problem).toMatchObject({ code: 'batch_closed', accepted: [{ path: 'in-time.txt' }] })
    expect(await api.store.sweep(-1)).toBe(0)
  })
})

describe('an upload that cannot be taken', () => {
  it('is refused before its body is sent', async () => {
    const batchId = await createBatch(person)
    await person.call('POST', `/api/batches/${batchId}/close`)
    for (const [id, status] of [
      [batchId, 409],
      ['01890000-0000-7000-8000-000000000000', 404],
      ['', 400],
    ] as const) {
      const upload = startUpload(id, { 'content-length': String(2 * 1024 * MB) })
      upload.on('error', () => {})
      expect((await answerOf(upload)).status).toBe(status)
      upload.destroy()
    }
  })
})
