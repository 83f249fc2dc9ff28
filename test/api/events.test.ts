import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newId } from '../../src/core/index.ts'
import { appendEvent, publishEvents } from '../../src/queue/index.ts'
import { createBatch, startTestApi, uploadFiles, type Person, type TestApi } from './support.ts'

let api: TestApi
let base: string
beforeAll(async () => {
  api = await startTestApi()
  base = await api.app.listen({ host: '127.0.0.1', port: 0 })
})
afterAll(() => api.close())

interface Frame {
  id: number | null
  event: string
  data: Record<string, unknown>
}

interface Stream {
  response: IncomingMessage
  frames: Frame[]
  /** Resolves with the first frame, old or new, that fits. */
  until(fits: (frame: Frame) => boolean): Promise<Frame>
  ended: Promise<void>
  close(): void
}

const open: Stream[] = []
afterEach(() => open.splice(0).forEach((stream) => stream.close()))

async function listen(person: Person, path: string, headers: Record<string, string> = {}): Promise<Stream> {
  const request = get(base + path, { headers: { authorization: `Bearer ${person.key}`, ...headers } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  let rest = ''
  response.setEncoding('utf8').on('data', (text: string) => {
    const pieces = (rest + text).split('\n\n')
    rest = pieces.pop()!
    for (const piece of pieces) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(piece)?.[1]
      if (field('event') !== undefined)
        frames.push({
          id: field('id') === undefined ? null : Number(field('id')),
          event: field('event')!,
          data: JSON.parse(field('data')!) as Record<string, unknown>,
        })
    }
    for (const look of waiting) look()
  })
  response.on('error', () => {})
  const ended = new Promise<void>((resolve) => response.once('close', resolve))
  const stream: Stream = {
    response,
    frames,
    ended,
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = frames.find(fits)
          if (!found) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
    close: () => request.destroy(),
  }
  open.push(stream)
  return stream
}

describe('the stream of a workspace', () => {
  it('tells what happens as it happens, and nothing of others', async () => {
    const [person, stranger] = [await api.person(), await api.person()]
    const stream = await listen(person, '/api/events')
    expect(stream.response.statusCode).toBe(200)
    expect(stream.response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
      'x-content-type-options': 'nosniff',
    })
    await createBatch(stranger)
    const id = await createBatch(person, { name: 'watched' })
    const created = await stream.until(({ event }) => event === 'batch.created')
    expect(created.data).toMatchObject({
      id: created.id,
      type: 'batch.created',
      batchId: id,
      data: { name: 'watched' },
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    const { accepted } = (await uploadFiles(person, id, { 'a.txt': 'x' })).json
    const updated = await stream.until(({ event }) => event === 'document.updated')
    expect(updated.data).toMatchObject({ documentId: accepted[0].documentId, data: { count: 1 } })
    await person.call('POST', `/api/batches/${id}/close`)
    await stream.until(({ event }) => event === 'batch.closed')
    expect(stream.frames.every(({ data }) => data['batchId'] === id)).toBe(true)
  })

  it('replays what was missed, in order and without gap or repetition', async () => {
    const person = await api.person()
    const first = await listen(person, '/api/events')
    const ids = [await createBatch(person), await createBatch(person)]
    const seen = await first.until(({ data }) => data['batchId'] === ids[0])
    await first.until(({ data }) => data['batchId'] === ids[1])
    first.close()
    ids.push(await createBatch(person), await createBatch(person))
    await publishEvents(api.test.database)
    for (const again of [
      await listen(person, '/api/events', { 'last-event-id': String(seen.id) }),
      await listen(person, `/api/events?lastEventId=${seen.id}`),
    ]) {
      await again.until(({ data }) => data['batchId'] === ids[3])
      expect(again.frames.map(({ data }) => data['batchId'])).toEqual(ids.slice(1))
      const numbers = again.frames.map(({ id }) => id!)
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
    }
  })

  it('goes on with new events for somebody who reads a long history meanwhile', async () => {
    const person = await api.person()
    const id = await createBatch(person)
    await api.test.admin.query(
      "insert into sheaf.events (workspace_id, batch_id, type, data) select $1, $2, 'batch.updated', jsonb_build_object('n', n) from generate_series(1, 1500) n",
      [person.workspaceId, id],
    )
    while ((await publishEvents(api.test.database)) > 0);
    const [early, replaying] = [await listen(person, '/api/events'), await listen(person, '/api/events?lastEventId=0')]
    for (let n = 1501; n <= 1520; n++)
      await api.test.database.asUser(person as never, (tx) =>
        appendEvent(tx, { workspaceId: person.workspaceId, batchId: id, type: 'batch.updated', data: { n } }),
      )
    const isLast = ({ data }: Frame) => (data['data'] as { n?: number }).n === 1520
    await Promise.all([early.until(isLast), replaying.until(isLast)])
    const numbers = (stream: Stream) =>
      stream.frames
        .filter(({ event }) => event === 'batch.updated')
        .map(({ data }) => (data['data'] as { n: number }).n)
    expect(numbers(replaying)).toEqual(Array.from({ length: 1520 }, (_, i) => i + 1))
    expect(numbers(early)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1501))
  })

  it('is refused for a last id that is none', async () => {
    const person = await api.person()
    expect((await person.call('GET', '/api/events?lastEventId=x')).status).toBe(400)
    expect((await person.call('GET', '/api/events', { headers: { 'last-event-id': '1 or 1=1' } })).status).toBe(400)
  })
})

describe('the stream of a batch', () => {
  it('tells of that batch only', async () => {
    const person = await api.person()
    const [watched, other] = [await createBatch(person), await createBatch(person)]
    const stream = await listen(person, `/api/batches/${watched}/events`)
    await uploadFiles(person, other, { 'a.txt': 'x' })
    await person.call('POST', `/api/batches/${watched}/pause`)
    await stream.until(({ event }) => event === 'batch.updated')
    expect(stream.frames.every(({ data }) => data['batchId'] === watched)).toBe(true)
  })

  it('says `gone` and ends when the batch is deleted, at once and also for whoever comes from another process', async () => {
    const person = await api.person()
    const id = await createBatch(person)
    const stream = await listen(person, `/api/batches/${id}/events`)
    const workspace = await listen(person, '/api/events')
    await person.call('DELETE', `/api/batches/${id}`, { headers: { 'if-match': '*' } })
    await stream.until(({ event }) => event === 'gone')
    await stream.ended
    // as the worker writes it at the end of the deletion
    const second = await createBatch(person)
    const late = await listen(person, `/api/batches/${second}/events`)
    await api.test.database.asUser({ workspaceId: person.workspaceId, userId: null }, (tx) =>
      appendEvent(tx, { workspaceId: person.workspaceId, batchId: second, type: 'batch.deleted' }),
    )
    await late.until(({ event }) => event === 'gone')
    await late.ended
    await workspace.until(({ event, data }) => event === 'batch.deleted' && data['batchId'] === second)
    expect(workspace.response.destroyed).toBe(false)
  })

  it('does not exist for a batch of somebody else', async () => {
    const id = await createBatch(await api.person())
    const stream = await listen(await api.person(), `/api/batches/${id}/events`)
    expect(stream.response.statusCode).toBe(404)
  })
})

describe('a reader that does not read', () => {
  it('is cut off while others go on, and memory stays bounded', async () => {
    const person = await api.person()
    const id = await createBatch(person)
    const { port } = new URL(base)
    const slow = connect(Number(port), '127.0.0.1')
    slow.write(`GET /api/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${person.key}\r\n\r\n`)
    await once(slow, 'readable')
    slow.pause()
    const cut = once(slow, 'close')
    const quick = await listen(person, '/api/events')
    const data = { text: 'x'.repeat(60_000) }
    let isCut = false
    void cut.then(() => {
      isCut = true
    })
    slow.on('error', () => {})
    for (let n = 0; n < 1000 && !isCut; n++) {
      await api.test.database.asUser({ workspaceId: person.workspaceId, userId: null }, (tx) =>
        appendEvent(tx, { workspaceId: person.workspaceId, batchId: id, type: 'batch.updated', data: { ...data, n } }),
      )
      if (n % 20 === 19) await quick.until((frame) => (frame.data['data'] as { n?: number }).n === n)
    }
    slow.resume()
    await cut
    expect(slow.bytesRead).toBeGreaterThan(0)
    const marker = newId()
    await api.test.database.asUser({ workspaceId: person.workspaceId, userId: null }, (tx) =>
      appendEvent(tx, { workspaceId: person.workspaceId, batchId: id, type: 'batch.updated', data: { marker } }),
    )
    await quick.until((frame) => (frame.data['data'] as { marker?: string }).marker === marker)
    expect(quick.response.destroyed).toBe(false)
  })
})

describe('closing the API', () => {
  it('ends all streams', async () => {
    const closing = await startTestApi()
    const person = await closing.person()
    const url = await closing.app.listen({ host: '127.0.0.1', port: 0 })
    const request = get(`${url}/api/events`, { headers: { authorization: `Bearer ${person.key}` } })
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    response.resume()
    const ended = once(response, 'end')
    await closing.close()
    await ended
    expect(response.complete).toBe(true)
  })
})
