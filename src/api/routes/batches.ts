import { announceDeletion, listBatches, readDeletion } from '../../database/index.ts'
import { SheafError } from '../../core/index.ts'
import { createBatch, requestDeletion, reuseDocuments, updateBatch } from '../../intake/index.ts'
import { answerBatch, findBatch, toBatch } from '../batch-answer.ts'
import { readCursor, signCursor } from '../cursor.ts'
import { etagOf, requireIfMatch } from '../etag.ts'
import { createOnce } from '../idempotency.ts'
import { readFormAsBody } from '../multipart-fields.ts'
import { toStoredPipeline, withPrompts } from '../pipeline-input.ts'
import { idempotencyHeaders, idParams, ifMatchHeaders, noBody, pageOf, runQuery } from '../schemas/basics.ts'
import {
  batchChangeSchema,
  batchListQuery,
  batchSchema,
  deletedSchema,
  deletionSchema,
  newBatchSchema,
} from '../schemas/batch.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'
import { changeBatch } from '../transactions.ts'

const tags = ['Batches']

export function batchRoutes(app: Api, services: Services): void {
  createRoute(app, services)
  readRoutes(app, services)
  changeRoutes(app, services)
}

function createRoute(app: Api, { database, plan, store }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/batches',
    schema: {
      tags,
      operationId: 'createBatch',
      summary: 'Create a batch',
      description: 'As JSON or as a multipart form with the same fields. The batch takes files until it is closed.',
      consumes: ['application/json', 'multipart/form-data'],
      headers: idempotencyHeaders,
      body: newBatchSchema,
      response: {
        201: batchSchema,
        ...problems(
          'plan_limit',
          'not_found',
          'payload_too_large',
          'unsupported_media_type',
          'idempotency_mismatch',
          'blob_missing',
        ),
      },
    },
    preValidation: readFormAsBody,
    handler: (request, reply) =>
      createOnce(database, request, reply, async (joined, tx) => {
        const { body, caller } = request
        const { name, description, startPolicy, priority, documents = [] } = body
        const stored = withPrompts(toStoredPipeline(body.pipeline), body)
        const batchId = await createBatch(tx, caller, { name, description, startPolicy, priority, ...stored }, plan)
        await reuseDocuments(joined, caller, { batchId, documents, store, plan })
        const row = await findBatch(tx, caller, batchId)
        return {
          status: 201,
          body: toBatch(row),
          headers: { etag: etagOf(row.version), location: `/api/batches/${batchId}` },
        }
      }),
  })
}

interface ListPlace {
  listedAt: string
  id: string
}

function readRoutes(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches',
    schema: {
      tags,
      operationId: 'listBatches',
      summary: 'List batches, the newest first',
      querystring: batchListQuery,
      response: { 200: pageOf(batchSchema), ...problems() },
    },
    handler: async ({ caller, query: { cursor, limit, ...filter } }) => {
      const after = readCursor<ListPlace>(caller, 'batches', cursor)
      const rows = await database.asUser(caller, (tx) =>
        listBatches(tx, caller.workspaceId, { ...filter, after, limit: limit + 1 }),
      )
      const last = rows.length > limit ? rows[limit - 1] : undefined
      const nextCursor = last ? signCursor(caller, 'batches', { listedAt: last.listedAt, id: last.id }) : null
      return { items: rows.slice(0, limit).map(toBatch), nextCursor }
    },
  })
  app.route({
    method: 'GET',
    url: '/api/batches/:id',
    schema: {
      tags,
      operationId: 'readBatch',
      summary: 'Read a batch in its present run or an earlier one',
      params: idParams,
      querystring: runQuery,
      response: { 200: batchSchema, ...problems('not_found') },
    },
    handler: async ({ caller, params, query }, reply) =>
      answerBatch(reply, await database.asUser(caller, (tx) => findBatch(tx, caller, params.id, query.run))),
  })
  app.route({
    method: 'GET',
    url: '/api/deletions/:id',
    schema: {
      tags,
      operationId: 'readDeletion',
      summary: 'Read the receipt of a deleted batch',
      params: idParams,
      response: { 200: deletionSchema, ...problems('not_found') },
    },
    handler: async ({ caller, params }) => {
      const deletion = await database.asUser(caller, (tx) => readDeletion(tx, caller.workspaceId, params.id))
      if (!deletion) throw new SheafError('not_found')
      return deletion
    },
  })
}

function changeRoutes(app: Api, { database }: Services): void {
  app.route({
    method: 'PATCH',
    url: '/api/batches/:id',
    schema: {
      tags,
      operationId: 'changeBatch',
      summary: 'Change name, description or priority',
      params: idParams,
      headers: ifMatchHeaders,
      body: batchChangeSchema,
      response: {
        200: batchSchema,
        ...problems('not_found', 'stale_etag', 'if_match_required', 'payload_too_large', 'unsupported_media_type'),
      },
    },
    handler: async ({ caller, params, headers, body }, reply) => {
      const batch = { id: params.id, wanted: requireIfMatch(headers['if-match']) }
      const row = await changeBatch(database, caller, batch, async (joined, tx) => {
        await updateBatch(joined, caller, params.id, null, body)
        return findBatch(tx, caller, params.id)
      })
      return answerBatch(reply, row)
    },
  })
  app.route({
    method: 'DELETE',
    url: '/api/batches/:id',
    schema: {
      tags,
      operationId: 'deleteBatch',
      summary: 'Delete a batch with everything derived from it',
      description: 'It disappears at once; rows and blobs are removed soon after, as the receipt then says.',
      params: idParams,
      headers: ifMatchHeaders,
      body: noBody,
      response: { 202: deletedSchema, ...problems('not_found', 'stale_etag', 'if_match_required') },
    },
    handler: async ({ caller, params: { id }, headers }, reply) => {
      await changeBatch(database, caller, { id, wanted: requireIfMatch(headers['if-match']) }, async (joined, tx) => {
        await requestDeletion(joined, caller, id, null)
        await announceDeletion(tx, id)
      })
      return reply.code(202).send({ batchId: id, receiptUrl: `/api/deletions/${id}` })
    },
  })
}
