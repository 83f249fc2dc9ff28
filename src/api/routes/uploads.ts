import type { FastifyRequest } from 'fastify'
import { isId, SheafError } from '../../core/index.ts'
import { knownBlobs } from '../../database/index.ts'
import { admitFiles, isRefusal, type AdmittedFile } from '../../intake/index.ts'
import { sourceKey } from '../../storage/index.ts'
import { findBatch } from '../batch-answer.ts'
import { problems } from '../schemas/problem.ts'
import { checkedSchema, checkSchema, uploadedSchema, uploadQuery, type Uploaded } from '../schemas/upload.ts'
import type { Api, Services } from '../services.ts'
import { receiveFiles } from '../upload/receive-files.ts'

const tags = ['Uploads']
export const FILES_PER_UPLOAD = 20_000

export function uploadRoutes(app: Api, services: Services): void {
  uploadRoute(app, services)
  checkRoute(app, services)
}

function uploadRoute(app: Api, services: Services): void {
  app.route({
    method: 'POST',
    url: '/api/upload',
    schema: {
      tags,
      operationId: 'upload',
      summary: 'Send files into an open batch',
      description: 'Files are stored durably and have their row when the answer comes; refused ones have a row too.',
      querystring: uploadQuery,
      response: {
        201: uploadedSchema,
        ...problems(
          'batch_id_required',
          'not_found',
          'batch_closed',
          'payload_too_large',
          'unsupported_media_type',
          'nothing_accepted',
          'no_space',
          'write_failed',
        ),
      },
    },
    handler: async (request, reply) => {
      const batchId = await findOpenBatch(services, request, request.query.batch_id)
      if (!request.isMultipart()) throw new SheafError('unsupported_media_type', 'Send multipart/form-data.')
      await services.room.assertRoom()
      const uploaded = await services.gate.pass(request.caller.workspaceId, () => receive(services, request, batchId))
      if (uploaded.accepted.length === 0)
        throw new SheafError('nothing_accepted', undefined, { extra: { batchId, refused: uploaded.refused } })
      return reply.code(201).send(uploaded)
    },
  })
}

/** Everything that can be refused before a byte of the body is read. */
async function findOpenBatch(
  { database }: Services,
  { caller }: FastifyRequest,
  batchId: string | undefined,
): Promise<string> {
  if (!batchId) throw new SheafError('batch_id_required')
  if (!isId(batchId)) throw new SheafError('not_found')
  const batch = await database.asUser(caller, (tx) => findBatch(tx, caller, batchId))
  if (batch.intake === 'closed') throw new SheafError('batch_closed')
  return batch.id
}

async function receive(
  { database, store, plan }: Services,
  request: FastifyRequest,
  batchId: string,
): Promise<Uploaded> {
  const uploaded: Uploaded = { batchId, accepted: [], refused: [] }
  const limits = {
    fileSize: plan.maxFileBytes ?? Infinity,
    files: FILES_PER_UPLOAD,
    fields: FILES_PER_UPLOAD,
    parts: 2 * FILES_PER_UPLOAD,
    fieldSize: 4096,
    headerPairs: 32,
  }
  try {
    const parts = request.parts({ limits, preservePath: true, throwFileSizeLimit: false } as Parameters<
      FastifyRequest['parts']
    >[0])
    await receiveFiles(parts, {
      store,
      admit: async (files) => {
        for (const file of await admitFiles(database, request.caller, batchId, files, plan)) addTo(uploaded, file)
      },
    })
    return uploaded
  } catch (error) {
    // what is still on its way is read and dropped, so that the client gets to read the answer
    request.raw.unpipe()
    request.raw.resume()
    if (uploaded.accepted.length > 0 && error instanceof SheafError)
      Object.assign(error.extra, { accepted: uploaded.accepted })
    throw error
  }
}

function addTo({ accepted, refused }: Uploaded, file: AdmittedFile): void {
  const { documentId, path, sha256, bytes, state, duplicateOf, error } = file
  if (sha256 === null || (error && isRefusal(error.code))) refused.push({ path, documentId, error: error! })
  else accepted.push({ documentId, path, sha256, bytes, state, ...(duplicateOf !== null && { duplicateOf }) })
}

function checkRoute(app: Api, { database }: Services): void {
  app.route({
    method: 'POST',
    url: '/api/uploads/check',
    schema: {
      tags,
      operationId: 'checkContents',
      summary: 'Which contents the workspace already has',
      body: checkSchema,
      response: { 200: checkedSchema, ...problems('payload_too_large', 'unsupported_media_type') },
    },
    handler: async ({ caller, body }) => {
      const keyOf = (sha256: string) => sourceKey(caller.workspaceId, sha256.toLowerCase())
      const known = await database.asUser(caller, (tx) => knownBlobs(tx, caller.workspaceId, body.sha256.map(keyOf)))
      return { known: body.sha256.filter((sha256) => known.has(keyOf(sha256))) }
    },
  })
}
