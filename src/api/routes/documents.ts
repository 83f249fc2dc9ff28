import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { SheafError } from '../../core/index.ts'
import { readContent, readDocument, type ContentRow } from '../../database/index.ts'
import { retryDocuments } from '../../queue/index.ts'
import { sourceKey } from '../../storage/index.ts'
import { readingText } from '../download/reading-text.ts'
import { isolate, sendBlob } from '../download/send-blob.ts'
import { idParams, runQuery } from '../schemas/basics.ts'
import { retriedSchema } from '../schemas/batch.ts'
import { documentDetailSchema, passwordSchema } from '../schemas/document.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'

const tags = ['Documents']
/** Whatever a person sent is handed back as bytes. */
const BYTES = 'application/octet-stream'

export function documentRoutes(app: Api, services: Services): void {
  detailRoute(app, services)
  contentRoute(app, services)
  textRoute(app, services)
  passwordRoute(app, services)
}

function detailRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/documents/:id',
    schema: {
      tags,
      operationId: 'readDocument',
      summary: 'Read a document with its issues, attempts and results',
      params: idParams,
      querystring: runQuery,
      response: { 200: documentDetailSchema, ...problems('not_found') },
    },
    handler: async ({ caller, params, query }) => {
      const document = await database.asUser(caller, (tx) => readDocument(tx, caller.workspaceId, params.id, query.run))
      if (!document) throw new SheafError('not_found')
      return document
    },
  })
}

/** Throws not_found, batch_expired. */
async function findContent(
  { database }: Services,
  { caller }: FastifyRequest,
  documentId: string,
  run?: number,
): Promise<ContentRow> {
  const content = await database.asUser(caller, (tx) => readContent(tx, caller.workspaceId, documentId, run))
  if (!content) throw new SheafError('not_found')
  if (content.isExpired) throw new SheafError('batch_expired')
  return content
}

function contentRoute(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/api/documents/:id/content',
    schema: {
      tags,
      operationId: 'readContent',
      summary: 'Download the bytes that were sent',
      produces: [BYTES],
      params: idParams,
      response: {
        200: {
          description: 'The whole content',
          content: { [BYTES]: { schema: z.string().meta({ format: 'binary' }) } },
        },
        206: {
          description: 'The range that was asked for',
          content: { [BYTES]: { schema: z.string().meta({ format: 'binary' }) } },
        },
        ...problems('not_found', 'batch_expired', 'range_not_satisfiable', 'blob_missing'),
      },
    },
    handler: async (request, reply) => {
      const { path, sha256, bytes } = await findContent(services, request, request.params.id)
      if (sha256 === null) throw new SheafError('not_found', 'The file was refused before its bytes were kept.')
      const key = sourceKey(request.caller.workspaceId, sha256)
      return sendBlob(request, reply, services.store, { key, bytes, sha256, name: path, mediaType: BYTES })
    },
  })
}

function textRoute(app: Api, services: Services): void {
  app.route({
    method: 'GET',
    url: '/api/documents/:id/text',
    schema: {
      tags,
      operationId: 'readText',
      summary: 'The text of a document in reading order',
      produces: ['text/plain'],
      params: idParams,
      querystring: runQuery,
      response: {
        200: { description: 'The text', content: { 'text/plain': { schema: z.string() } } },
        ...problems('not_found', 'batch_expired', 'blob_missing'),
      },
    },
    handler: async (request, reply) => {
      const { readingKey } = await findContent(services, request, request.params.id, request.query.run)
      if (readingKey === null) throw new SheafError('not_found', 'The document has not been read.')
      const text = readingText(await services.store.get(readingKey))
      isolate(reply).header('content-type', 'text/plain; charset=utf-8')
      return reply.send(text as unknown as string)
    },
  })
}

function passwordRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/documents/:id/password',
    schema: {
      tags,
      operationId: 'givePassword',
      summary: 'Give the password of a document that waits for one; it is then read again',
      params: idParams,
      body: passwordSchema,
      response: {
        202: retriedSchema,
        ...problems('not_found', 'state_conflict', 'payload_too_large', 'unsupported_media_type'),
      },
    },
    handler: async ({ caller, params: { id }, body }, reply) => {
      const document = await database.asUser(caller, (tx) => readDocument(tx, caller.workspaceId, id))
      if (!document) throw new SheafError('not_found')
      const retry = { documents: [id], where: { state: 'needs_input' }, secret: body.password }
      const retried = await retryDocuments(database, caller, document.batchId, retry)
      if (retried.matched === 0) throw new SheafError('state_conflict', 'The document does not wait for a password.')
      return reply.code(202).send(retried)
    },
  })
}
