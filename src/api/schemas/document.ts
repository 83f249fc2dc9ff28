import { z } from 'zod'
import { DOCUMENT_STATES } from '../../core/index.ts'
import { documentErrorSchema, idSchema, pageQuery, plainText, runQuery, timeSchema } from './basics.ts'

const count = z.number().int().min(0)
const time = timeSchema.nullable()

export const documentSchema = z
  .object({
    id: idSchema,
    batchId: idSchema,
    run: z.number().int(),
    path: z.string(),
    sha256: z.string().nullable(),
    bytes: count,
    mediaType: z.string().nullable(),
    type: z.string().nullable(),
    language: z.string().nullable(),
    state: z.enum(DOCUMENT_STATES),
    stage: z.string().nullable(),
    attempts: count,
    quarantined: z.boolean(),
    pages: count.nullable(),
    words: count.nullable(),
    issues: count,
    error: documentErrorSchema.nullable(),
    review: z.string(),
    parent: idSchema.nullable(),
    duplicateOf: idSchema.nullable(),
    createdAt: timeSchema,
    startedAt: time,
    endedAt: time,
  })
  .meta({ id: 'Document' })

const attemptSchema = z
  .object({
    number: count,
    generation: count,
    worker: z.number().int().nullable(),
    started: time,
    ended: time,
    stage: z.string().nullable(),
    outcome: z.string(),
    error: documentErrorSchema.nullable(),
  })
  .meta({ id: 'Attempt' })

export const documentDetailSchema = documentSchema
  .extend({
    parseMs: z.number().nullable(),
    issues: z.array(z.object({ code: z.string(), page: z.number().int().optional(), message: z.string() })),
    attempts: z.array(attemptSchema),
    fields: z.record(z.string(), z.unknown()),
    authorship: z.looseObject({}).nullable(),
    scoreReport: z.looseObject({}).nullable(),
    cluster: z.number().int().nullable(),
    nearDuplicates: z.array(z.looseObject({})),
  })
  .meta({ id: 'DocumentDetail' })

export const documentListQuery = pageQuery.extend({
  run: runQuery.shape.run,
  state: z.enum(DOCUMENT_STATES).optional(),
  category: plainText(40).optional(),
  code: plainText(80).optional(),
  type: plainText(200).optional(),
  mediaType: plainText(200).optional(),
  path: plainText(1024).optional().describe('Beginning of the path.'),
  full: z.enum(['true', 'false']).default('false').describe('Adds what the detail of a document has.'),
})

export const passwordSchema = z.strictObject({ password: plainText(1000).min(1) }).meta({ id: 'Password' })
