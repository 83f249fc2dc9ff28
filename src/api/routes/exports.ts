import { z } from 'zod'
import { newId, SheafError } from '../../core/index.ts'
import { insertExport, listExports, readExport, type ExportRow } from '../../database/index.ts'
import { enqueueService } from '../../queue/index.ts'
import { findBatch } from '../batch-answer.ts'
import { readCursor, signCursor } from '../cursor.ts'
import { sendBlob } from '../download/send-blob.ts'
import { createOnce } from '../idempotency.ts'
import { exportSchema, newExportSchema } from '../schemas/account.ts'
import { idempotencyHeaders, idParams, pageOf, pageQuery } from '../schemas/basics.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'

const tags = ['Exports']
const MEDIA_TYPES: Record<string, string> = {
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/jsonl; charset=utf-8',
}

export function exportRoutes(app: Api, services: Services): void {
  createRoute(app, services)
  readRoutes(app, services)
  contentRoute(app, services)
}

function toExport({ batchName: _name, blobKey: _key, ...row }: ExportRow): z.output<typeof exportSchema> {
  return { ...row, contentUrl: row.state === 'completed' ? `/api/exports/${row.id}/content` : null }
}

function createRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/batches/:id/exports',
    schema: {
      tags,
      operationId: 'createExport',
      summary: 'Have a file of results made',
      params: idParams,
      headers: idempotencyHeaders,
      body: newExportSchema,
      response: {
        201: exportSchema,
        ...problems(
          'not_found',
          'batch_expired',
          'payload_too_large',
          'unsupported_media_type',
          'idempotency_mismatch',
        ),
      },
    },
    handler: (request, reply) =>
      createOnce(database, request, reply, async (_joined, tx) => {
        const { caller, params, body } = request
        const batch = await findBatch(tx, caller, params.id, body.run)
        if (batch.status === 'expired') throw new SheafError('batch_expired')
        const { workspaceId, userId: createdBy } = caller
        const id = newId()
        await insertExport(tx, { workspaceId, id, batchId: batch.id, run: batch.run, format: body.format, createdBy })
        await enqueueService(
          tx,
          'export',
          { workspaceId, batchId: batch.id, runNumber: batch.run },
          { exportId: id, format: body.format },
        )
        const row = await readExport(tx, workspaceId, id)
        return { status: 201, body: toExport(row!), headers: { location: `/api/exports/${id}` } }
      }),
  })
}

function readRoutes(app: Api, { database }: Services): void {
  app.route({
    method: 'GET',
    url: '/api/batches/:id/exports',
    schema: {
      tags,
      operationId: 'listExports',
      summary: 'List the exports of a batch, the newest first',
      params: idParams,
      querystring: pageQuery,
      response: { 200: pageOf(exportSchema), ...problems('not_found') },
    },
    handler: async ({ caller, params: { id }, query: { cursor, limit } }) => {
      const list = `exports of ${id}`
      const before = readCursor<string>(caller, list, cursor)
      const rows = await database.asUser(caller, async (tx) => {
        await findBatch(tx, caller, id)
        return listExports(tx, caller.workspaceId, id, { before, limit: limit + 1 })
      })
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return { items: rows.slice(0, limit).map(toExport), nextCursor: last ? signCursor(caller, list, last.id) : null }
    },
  })
  app.route({
    method: 'GET',
    url: '/api/exports/:id',
    schema: {
      tags,
      operationId: 'readExport',
      summary: 'Read the state of an export',
      params: idParams,
      response: { 200: exportSchema, ...problems('not_found') },
    },
    handler: async ({ caller, params }) => {
      const row = await database.asUser(caller, (tx) => readExport(tx, caller.workspaceId, params.id))
      if (!row) throw new SheafError('not_found')
      return toExport(row)
    },
  })
}

function contentRoute(app: Api, { database, store }: Services): void {
  const file = { schema: z.string().meta({ format: 'binary' }) }
  const content = { 'text/csv': file, 'application/jsonl': file }
  app.route({
    method: 'GET',
    url: '/api/exports/:id/content',
    schema: {
      tags,
      operationId: 'readExportContent',
      summary: 'Download an export that is complete',
      produces: ['text/csv', 'application/jsonl'],
      params: idParams,
      response: {
        200: { description: 'The whole file', content },
        206: { description: 'The range that was asked for', content },
        ...problems('not_found', 'state_conflict', 'range_not_satisfiable', 'blob_missing'),
      },
    },
    handler: async (request, reply) => {
      const row = await database.asUser(request.caller, (tx) =>
        readExport(tx, request.caller.workspaceId, request.params.id),
      )
      if (!row) throw new SheafError('not_found')
      const { blobKey, sha256, bytes, format } = row
      if (row.state !== 'completed' || blobKey === null || sha256 === null || bytes === null)
        throw new SheafError('state_conflict', `The export is ${row.state}.`)
      const name = `${row.batchName.replaceAll('/', '_')} run ${row.run}.${format}`
      return sendBlob(request, reply, store, {
        key: blobKey,
        bytes,
        sha256,
        name,
        mediaType: MEDIA_TYPES[format] ?? 'application/octet-stream',
      })
    },
  })
}
