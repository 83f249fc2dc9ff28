import { closeBatch, startRun } from '../../intake/index.ts'
import { cancelBatch, pauseBatch, resumeBatch, retryDocuments } from '../../queue/index.ts'
import type { ErrorCategory, ErrorCode } from '../../core/index.ts'
import type { Database, UserContext } from '../../database/index.ts'
import { answerBatch, findBatch, toBatch } from '../batch-answer.ts'
import { etagOf, readIfMatch } from '../etag.ts'
import { createOnce } from '../idempotency.ts'
import { toStoredPipeline } from '../pipeline-input.ts'
import { idempotencyHeaders, idParams, ifMatchHeaders, noBody } from '../schemas/basics.ts'
import { batchSchema, newRunSchema, retriedSchema, retrySchema } from '../schemas/batch.ts'
import { problems } from '../schemas/problem.ts'
import type { Api, Services } from '../services.ts'
import { changeBatch } from '../transactions.ts'

const tags = ['Batches']

interface Action {
  name: string
  summary: string
  codes: ErrorCode[]
  act(database: Database, context: UserContext, batchId: string): Promise<unknown>
}

/** Actions that take no body and answer with the batch; each is harmless when repeated. */
const ACTIONS: readonly Action[] = [
  {
    name: 'close',
    summary: 'Close the intake for good; the batch is finalised when all documents have ended',
    codes: [],
    act: closeBatch,
  },
  { name: 'pause', summary: 'Let nothing more begin; what runs ends', codes: ['state_conflict'], act: pauseBatch },
  { name: 'resume', summary: 'Let a paused batch go on', codes: ['state_conflict'], act: resumeBatch },
  { name: 'cancel', summary: 'End everything that has not ended', codes: ['state_conflict'], act: cancelBatch },
]

export function batchActionRoutes(app: Api, services: Services): void {
  for (const action of ACTIONS) actionRoute(app, services, action)
  retryRoute(app, services)
  runRoute(app, services)
}

function actionRoute(app: Api, { database }: Services, { name, summary, codes, act }: Action): void {
  app.route({
    method: 'POST',
    url: `/api/batches/:id/${name}`,
    schema: {
      tags,
      operationId: `${name}Batch`,
      summary,
      params: idParams,
      headers: ifMatchHeaders,
      body: noBody,
      response: { 200: batchSchema, ...problems('not_found', 'stale_etag', ...codes) },
    },
    handler: async ({ caller, params: { id }, headers }, reply) => {
      const row = await changeBatch(
        database,
        caller,
        { id, wanted: readIfMatch(headers['if-match']) },
        async (joined, tx) => {
          await act(joined, caller, id)
          return findBatch(tx, caller, id)
        },
      )
      return answerBatch(reply, row)
    },
  })
}

function retryRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/batches/:id/retry',
    schema: {
      tags,
      operationId: 'retryBatch',
      summary: 'Take documents back into the queue',
      description:
        'Without a condition: those that failed, were cancelled or are partial. With dryRun they are only counted.',
      params: idParams,
      headers: ifMatchHeaders,
      body: retrySchema,
      response: {
        200: retriedSchema,
        ...problems('not_found', 'state_conflict', 'stale_etag', 'payload_too_large', 'unsupported_media_type'),
      },
    },
    handler: ({ caller, params: { id }, headers, body }) =>
      changeBatch(database, caller, { id, wanted: readIfMatch(headers['if-match']) }, (joined) => {
        const { where, ...request } = body ?? {}
        const category = where?.category as ErrorCategory | undefined
        return retryDocuments(joined, caller, id, { ...request, where: where && { ...where, category } })
      }),
  })
}

function runRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/batches/:id/runs',
    schema: {
      tags,
      operationId: 'startRun',
      summary: 'Start another run over the same documents',
      description: 'Results of earlier runs stay readable with ?run=.',
      params: idParams,
      headers: idempotencyHeaders.extend(ifMatchHeaders.shape),
      body: newRunSchema,
      response: {
        201: batchSchema,
        ...problems(
          'not_found',
          'state_conflict',
          'stale_etag',
          'payload_too_large',
          'unsupported_media_type',
          'idempotency_mismatch',
        ),
      },
    },
    handler: (request, reply) => {
      const {
        caller,
        params: { id },
        headers,
        body,
      } = request
      return createOnce(database, request, reply, (joined) =>
        changeBatch(joined, caller, { id, wanted: readIfMatch(headers['if-match']) }, async (database, tx) => {
          const run = await startRun(database, caller, id, {
            ...toStoredPipeline(body.pipeline),
            documents: body.documents,
          })
          const row = await findBatch(tx, caller, id)
          return {
            status: 201,
            body: toBatch(row),
            headers: { etag: etagOf(row.version), location: `/api/batches/${id}?run=${run}` },
          }
        }),
      )
    },
  })
}
