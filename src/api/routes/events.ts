import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { SheafError } from '../../core/index.ts'
import { readBatch } from '../../database/index.ts'
import { findBatch } from '../batch-answer.ts'
import { createEventClient } from '../events/event-client.ts'
import { GONE, OPENING } from '../events/event-frame.ts'
import { idParams } from '../schemas/basics.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'

const tags = ['Events']
const MOST_STREAMS = 2000
const eventId = z.string().regex(/^\d{1,15}$/, 'is not the id of an event')
const eventQuery = z.strictObject({ lastEventId: eventId.optional() })
const eventHeaders = z.object({ 'last-event-id': z.union([eventId, z.literal('')]).optional() })

const description =
  'Server-sent events with ids from a durable log: Last-Event-ID (or ?lastEventId=) replays what was missed.'
const response = {
  200: {
    description: '`{id, type, batchId, documentId?, at, data}` for each event',
    content: { 'text/event-stream': { schema: z.string() } },
  },
  ...problems('not_found', 'too_many_requests'),
}

export function eventRoutes(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/api/events',
    schema: {
      tags,
      operationId: 'streamEvents',
      summary: 'Events of all batches',
      description,
      produces: ['text/event-stream'],
      querystring: eventQuery,
      headers: eventHeaders,
      response,
    },
    handler: (request, reply) => stream(services, request, reply, null),
  })
  app.route({
    method: 'GET',
    url: '/api/batches/:id/events',
    schema: {
      tags,
      operationId: 'streamBatchEvents',
      summary: 'Events of one batch; ends with the event `gone` when it is deleted',
      description,
      produces: ['text/event-stream'],
      params: idParams,
      querystring: eventQuery,
      headers: eventHeaders,
      response,
    },
    handler: async (request, reply) => {
      const { caller, params } = request
      const { id } = await services.database.asUser(caller, (tx) => findBatch(tx, caller, params.id))
      return stream(services, request, reply, id)
    },
  })
}

/** Takes the response over from the framework and feeds it until one side ends it. */
async function stream(
  { hub, database }: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  batchId: string | null,
): Promise<void> {
  if (hub.size >= MOST_STREAMS)
    throw new SheafError('too_many_requests', 'Too many streams of events are open.', { extra: { retryAfter: 10 } })
  const { caller } = request
  const lastId = await hub.startFrom(caller.workspaceId, lastEventIdOf(request))
  reply.hijack()
  const response = reply.raw
  response.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // proxies of the nginx family would hold events back
    'x-accel-buffering': 'no',
  })
  const client = createEventClient(response, { workspaceId: caller.workspaceId, batchId, lastId })
  response.on('close', () => hub.leave(client))
  response.on('error', () => hub.leave(client))
  client.send(OPENING)
  try {
    await hub.join(client)
    // it may have been deleted before the stream stood
    if (batchId !== null && !(await database.asUser(caller, (tx) => readBatch(tx, caller.workspaceId, batchId))))
      client.end(GONE)
  } catch (error) {
    // the client comes back by itself
    request.log.warn({ err: error }, 'a stream of events ended')
    client.end()
  }
}

function lastEventIdOf(request: FastifyRequest): number | null {
  const { lastEventId } = request.query as z.output<typeof eventQuery>
  const given = request.headers['last-event-id'] || lastEventId
  return given === undefined || given === '' ? null : Number(given)
}
