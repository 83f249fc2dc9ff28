import { hashApiKey, makeApiKey, newId, SheafError } from '../../core/index.ts'
import { insertKey, listKeys, readUsage, revokeKey } from '../../database/index.ts'
import { z } from 'zod'
import { readCursor, signCursor } from '../cursor.ts'
import { createOnce } from '../idempotency.ts'
import { MOST_JSON_BYTES } from '../json-body.ts'
import { createdKeySchema, keySchema, limitsSchema, newKeySchema, usageSchema } from '../schemas/account.ts'
import { idempotencyHeaders, idParams, MOST_LISTED, noBody, pageOf, pageQuery } from '../schemas/basics.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'
import { UPLOADS_AT_ONCE } from '../upload/upload-gate.ts'
import { FILES_PER_UPLOAD } from './uploads.ts'

export function accountRoutes(app: Api, services: Services): void {
  keyRoutes(app, services)
  revokeRoute(app, services)
  limitRoutes(app, services)
}

function keyRoutes(app: Api, { database }: Services): void {
  const tags = ['Keys']
  app.route({
    method: 'POST',
    url: '/api/keys',
    schema: {
      tags,
      operationId: 'createKey',
      summary: 'Create an API key; it is shown this once',
      headers: idempotencyHeaders,
      body: newKeySchema,
      response: {
        201: createdKeySchema,
        ...problems('payload_too_large', 'unsupported_media_type', 'idempotency_mismatch'),
      },
    },
    handler: (request, reply) =>
      createOnce(database, request, reply, async (_joined, tx) => {
        const key = makeApiKey()
        const { workspaceId } = request.caller
        const row = await insertKey(tx, { workspaceId, id: newId(), name: request.body.name, hash: hashApiKey(key) })
        return { status: 201, body: { ...row, key }, headers: { 'cache-control': 'no-store' } }
      }),
  })
  app.route({
    method: 'GET',
    url: '/api/keys',
    schema: {
      tags,
      operationId: 'listKeys',
      summary: 'List the API keys in force',
      querystring: pageQuery,
      response: { 200: pageOf(keySchema), ...problems() },
    },
    handler: async ({ caller, query: { cursor, limit } }) => {
      const before = readCursor<string>(caller, 'keys', cursor)
      const rows = await database.asUser(caller, (tx) => listKeys(tx, caller.workspaceId, { before, limit: limit + 1 }))
      const last = rows.length > limit ? rows[limit - 1] : undefined
      return { items: rows.slice(0, limit), nextCursor: last ? signCursor(caller, 'keys', last.id) : null }
    },
  })
}

function revokeRoute(app: Api, { database, keyring }: Services): void {
  app.route({
    method: 'DELETE',
    url: '/api/keys/:id',
    schema: {
      tags: ['Keys'],
      operationId: 'revokeKey',
      summary: 'Revoke an API key; it is refused within a second',
      params: idParams,
      body: noBody,
      response: { 204: z.undefined().describe('It is revoked.'), ...problems('not_found') },
    },
    handler: async ({ caller, params }, reply) => {
      const hash = await database.asUser(caller, (tx) => revokeKey(tx, caller.workspaceId, params.id))
      if (!hash) throw new SheafError('not_found')
      keyring.forget(hash)
      return reply.code(204).send()
    },
  })
}

function limitRoutes(app: Api, { database, plan }: Services): void {
  const tags = ['Account']
  app.route({
    method: 'GET',
    url: '/api/limits',
    schema: {
      tags,
      operationId: 'readLimits',
      summary: 'What the plan and the server allow',
      response: { 200: limitsSchema, ...problems() },
    },
    handler: async () => ({
      plan,
      uploadsAtOnce: UPLOADS_AT_ONCE,
      filesPerUpload: FILES_PER_UPLOAD,
      jsonBytes: MOST_JSON_BYTES,
      listedAtOnce: MOST_LISTED,
    }),
  })
  app.route({
    method: 'GET',
    url: '/api/usage',
    schema: {
      tags,
      operationId: 'readUsage',
      summary: 'What the workspace holds',
      response: { 200: usageSchema, ...problems() },
    },
    handler: ({ caller }) => database.asUser(caller, (tx) => readUsage(tx, caller.workspaceId)),
  })
}
