import { z } from 'zod'
import { BATCH_STATUSES, DOCUMENT_STATES, pipelineInputSchema, pipelineSchema } from '../../core/index.ts'
import { PRIORITIES } from '../../intake/index.ts'
import { idSchema, pageQuery, plainText, timeSchema } from './basics.ts'

const count = z.number().int().min(0)
const time = timeSchema.nullable()

export const countersSchema = z
  .object({
    total: count,
    received: count,
    queued: count,
    running: count,
    retryWait: count,
    needsInput: count,
    succeeded: count,
    partial: count,
    failed: count,
    skipped: count,
    cancelled: count,
  })
  .meta({ id: 'Counters' })

export const batchSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    description: z.string().nullable(),
    intake: z.enum(['open', 'closed']),
    status: z.enum(BATCH_STATUSES),
    phase: z.enum(['OPEN', 'PROCESSING', 'CLOSED']),
    startPolicy: z.enum(['on_arrival', 'on_close']),
    priority: z.enum(PRIORITIES),
    pipeline: pipelineSchema,
    extractionPrompt: z.string().nullable(),
    promptStrategy: z.string().nullable(),
    run: z.number().int().min(1),
    counters: countersSchema,
    totalDocuments: count,
    processedDocuments: count,
    progress: z.number().min(0).max(1),
    error: z.string().nullable(),
    summary: z.looseObject({}).nullable(),
    createdBy: idSchema.nullable(),
    workspaceId: idSchema,
    timestamps: z.object({
      created: time,
      opened: time,
      queued: time,
      started: time,
      paused: time,
      closed: time,
      finalizing: time,
      ended: time,
      expires: time,
    }),
    createdAt: timeSchema,
    updatedAt: timeSchema,
    completedAt: time,
  })
  .meta({ id: 'Batch' })

export type Batch = z.output<typeof batchSchema>

const name = plainText(200).trim().min(1)
const description = plainText(10_000)
const prompt = plainText(50_000)

export const PROMPT_STRATEGIES = {
  global: 'global',
  per_document: 'per_document',
  auto: 'auto',
  auto_detect: 'auto',
  'auto-detect': 'auto',
} as const

export const newBatchSchema = z
  .strictObject({
    name,
    description: description.nullish(),
    pipeline: pipelineInputSchema.optional(),
    startPolicy: z.enum(['on_arrival', 'on_close']).optional(),
    priority: z.enum(PRIORITIES).optional(),
    documents: z
      .array(idSchema)
      .max(10_000)
      .optional()
      .describe('Stored documents that are used again without sending them.'),
    promptStrategy: z.enum(Object.keys(PROMPT_STRATEGIES) as [keyof typeof PROMPT_STRATEGIES]).optional(),
    globalPrompt: prompt.optional(),
    perDocPrompts: z.record(plainText(1024), prompt).optional(),
  })
  .meta({ id: 'NewBatch' })

export type NewBatchBody = z.output<typeof newBatchSchema>

export const batchChangeSchema = z
  .strictObject({
    name: name.optional(),
    description: description.nullable().optional(),
    priority: z.enum(PRIORITIES).optional(),
  })
  .meta({ id: 'BatchChange' })

export const newRunSchema = z
  .strictObject({ pipeline: pipelineInputSchema, documents: z.array(idSchema).max(10_000).optional() })
  .meta({ id: 'NewRun' })

export const retrySchema = z
  .strictObject({
    where: z
      .strictObject({
        state: z.enum(DOCUMENT_STATES).optional(),
        category: plainText(40).optional(),
        code: plainText(80).optional(),
        path: plainText(1024).optional(),
        mediaType: plainText(200).optional(),
      })
      .optional(),
    documents: z.array(idSchema).max(10_000).optional(),
    timeoutFactor: z.number().min(0.1).max(100).optional(),
    dryRun: z.boolean().optional(),
  })
  .nullish()
  .meta({ id: 'Retry' })

export const retriedSchema = z.object({ matched: count, retried: count }).meta({ id: 'Retried' })

export const batchListQuery = pageQuery.extend({
  name: plainText(200).optional(),
  status: z.enum(BATCH_STATUSES).optional(),
  intake: z.enum(['open', 'closed']).optional(),
})

export const deletedSchema = z.object({ batchId: idSchema, receiptUrl: z.string() }).meta({ id: 'Deleted' })

export const deletionSchema = z
  .object({
    batchId: idSchema,
    batchName: z.string(),
    requestedAt: timeSchema,
    completedAt: time,
    receipt: z.looseObject({}).nullable().describe('What was removed; null until it is.'),
  })
  .meta({ id: 'Deletion' })

export const summarySchema = z
  .object({
    batchId: idSchema,
    run: z.number().int(),
    revision: count.describe('How often the run was finalised; 0 before the first time.'),
    status: z.enum(BATCH_STATUSES),
    counters: countersSchema,
    summary: z.looseObject({}).nullable(),
  })
  .meta({ id: 'Summary' })
