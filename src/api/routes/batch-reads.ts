import { SheafError } from '../../core/index.ts'
import { listDocumentDetails, listDocuments, readStatus } from '../../database/index.ts'
import { manifestBatch } from '../../export/index.ts'
import { z } from 'zod'
import { findBatch } from '../batch-answer.ts'
import { readCursor, signCursor } from '../cursor.ts'
import { attachment } from '../download/content-disposition.ts'
import { idParams, pageOf, runQuery } from '../schemas/basics.ts'
import { summarySchema } from '../schemas/batch.ts'
import { documentDetailSchema, documentListQuery, documentSchema } from '../schemas/document.ts'
import { problems } from '../schemas/problem.ts'
import { statusSchema, type ProcessingStatus } from '../schemas/status.ts'
import type { Api, Services } from '../services.ts'

const tags = ['Batches']

export function batchReadRoutes(app: Api, services: Services): void {
  statusRoute(app, services)
  documentsRoute(app, services)
  summaryRoute(app, services)
  manifestRoute(app, services)
}

function statusRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches/:id/status',
    schema: {
      tags,
      operationId: 'readStatus',
      summary: 'The row of batch_processing_status: counts, errors and times',
      params: idParams,
      response: { 200: statusSchema, ...problems('not_found') },
    },
    handler: async ({ caller, params }) => {
      const row = await database.asUser(caller, (tx) => readStatus(tx, params.id))
      if (!row) throw new SheafError('not_found')
      return row as ProcessingStatus
    },
  })
}

function documentsRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches/:id/documents',
    schema: {
      tags,
      operationId: 'listDocuments',
      summary: 'List the documents of a run in input order',
      params: idParams,
      querystring: documentListQuery,
      response: { 200: pageOf(z.union([documentSchema, documentDetailSchema])), ...problems('not_found') },
    },
    handler: async ({ caller, params: { id }, query: { run, cursor, limit, full, ...conditions } }) => {
      const list = `documents of ${id}`
      const after = readCursor<number[]>(caller, list, cursor)
      const rows = await database.asUser(caller, async (tx) => {
        const batch = await findBatch(tx, caller, id, run)
        const place = { workspaceId: caller.workspaceId, batchId: id, run: batch.run }
        const filter = { ...conditions, after, limit: limit + 1 }
        return full === 'true' ? listDocumentDetails(tx, place, filter) : listDocuments(tx, place, filter)
      })
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return { items: rows.slice(0, limit), nextCursor: last ? signCursor(caller, list, last.position) : null }
    },
  })
}

function summaryRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches/:id/summary',
    schema: {
      tags,
      operationId: 'readSummary',
      summary: 'The summary written when a run is finalised',
      params: idParams,
      querystring: runQuery,
      response: { 200: summarySchema, ...problems('not_found') },
    },
    handler: async ({ caller, params, query }) => {
      const { id, run, revision, status, counters, summary } = await database.asUser(caller, (tx) =>
        findBatch(tx, caller, params.id, query.run),
      )
      return { batchId: id, run, revision, status, counters, summary }
    },
  })
}

function manifestRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches/:id/manifest',
    schema: {
      tags,
      operationId: 'readManifest',
      summary: 'Every file and member received, as CSV',
      produces: ['text/csv'],
      params: idParams,
      querystring: runQuery,
      response: {
        200: { description: 'path, sha256, bytes, state, error_code', content: { 'text/csv': { schema: z.string() } } },
        ...problems('not_found'),
      },
    },
    handler: async ({ caller, params, query }, reply) => {
      const { id, run } = await database.asUser(caller, (tx) => findBatch(tx, caller, params.id, query.run))
      const rows = manifestBatch(database, caller, { batchId: id, runNumber: run })
      reply.header('content-type', 'text/csv; charset=utf-8').header('content-disposition', attachment('manifest.csv'))
      // a stream is no value of the schema
      return reply.send(rows as unknown as string)
    },
  })
}
