import { z } from 'zod'

export const MOST_LISTED = 1000

/** Text that can be stored: without NUL and without half characters. */
export function plainText(longest: number): z.ZodString {
  return z
    .string()
    .max(longest)
    .refine((text) => !text.includes('\0') && text.isWellFormed(), 'holds NUL or half a character')
}

export const idSchema = z.uuid()
export const idParams = z.strictObject({ id: idSchema })
export const timeSchema = z.iso.datetime().meta({ id: 'Time', description: 'ISO 8601, UTC.' })
const runNumber = z.coerce.number().int().min(1).max(2_147_483_647)
/** Which run of the batch; the present one by default. */
export const runQuery = z.strictObject({ run: runNumber.optional() })

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(MOST_LISTED).default(50),
  cursor: z.string().max(2000).optional(),
})

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}

/** The whole body of requests that take none. */
export const noBody = z.strictObject({}).nullish()

export const ifMatchHeaders = z.object({
  'if-match': z.string().max(1000).optional().describe('ETag of the version that was read.'),
})
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .max(255)
    .optional()
    .describe('Makes the repetition of the request give the same answer for 24 hours.'),
})

/** An error of a document; documents of earlier versions may have codes that are no more. */
export const documentErrorSchema = z
  .object({
    code: z.string(),
    category: z.string(),
    stage: z.string(),
    retryable: z.boolean(),
    message: z.string(),
    action: z.string(),
    detail: z.string().optional(),
    page: z.number().int().optional(),
    attempt: z.number().int(),
    at: z.string(),
  })
  .meta({ id: 'DocumentError' })
