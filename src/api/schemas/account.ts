import { z } from 'zod'
import { EXPORT_FORMATS } from '../../export/index.ts'
import { planSchema } from '../../intake/index.ts'
import { documentErrorSchema, idSchema, plainText, timeSchema } from './basics.ts'

export const keySchema = z.object({ id: idSchema, name: z.string(), createdAt: timeSchema }).meta({ id: 'Key' })
export const newKeySchema = z.strictObject({ name: plainText(200).trim().min(1) }).meta({ id: 'NewKey' })
export const createdKeySchema = keySchema
  .extend({ key: z.string().describe('Shown this once.') })
  .meta({ id: 'CreatedKey' })

export const newExportSchema = z
  .strictObject({ format: z.enum(EXPORT_FORMATS), run: z.number().int().min(1).max(2_147_483_647).optional() })
  .meta({ id: 'NewExport' })

export const exportSchema = z
  .object({
    id: idSchema,
    batchId: idSchema,
    run: z.number().int(),
    format: z.string(),
    state: z.enum(['queued', 'running', 'completed', 'failed']),
    sha256: z.string().nullable(),
    bytes: z.number().int().nullable(),
    error: documentErrorSchema.nullable(),
    createdAt: timeSchema,
    completedAt: timeSchema.nullable(),
    contentUrl: z.string().nullable(),
  })
  .meta({ id: 'Export' })

export const limitsSchema = z
  .object({
    plan: planSchema,
    uploadsAtOnce: z.number().int(),
    filesPerUpload: z.number().int(),
    jsonBytes: z.number().int(),
    listedAtOnce: z.number().int(),
  })
  .meta({ id: 'Limits' })

export const usageSchema = z
  .object({
    batches: z.number().int(),
    documents: z.number().int(),
    bytes: z.number().int().describe('Stored bytes, each content once.'),
  })
  .meta({ id: 'Usage' })
