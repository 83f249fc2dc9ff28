import { z } from 'zod'
import { idSchema, timeSchema } from './basics.ts'

const count = z.number().int()

/** The row of the view batch_processing_status (R4), its 19 columns under their own names. */
export const statusSchema = z
  .object({
    batch_id: idSchema,
    batch_created_at: timeSchema,
    batch_status: z.enum(['queued', 'processing', 'completed', 'error']),
    total_files: count,
    total_documents: count,
    completed_count: count,
    failed_count: count,
    in_progress_count: count,
    queued_count: count,
    permanent_failures: count,
    max_retries: count,
    error_messages: z.string(),
    latest_error_at: timeSchema.nullable(),
    batch_started_at: timeSchema.nullable(),
    batch_completed_at: timeSchema.nullable(),
    processing_hours: z.number().nullable(),
    error_rate_percentage: z.number(),
    computed_status: z.enum(['queued', 'processing', 'completed', 'error']),
    top_error_types: z.array(
      z.object({
        category: z.string(),
        code: z.string(),
        message: z.string().nullable(),
        count,
        sample_document_id: idSchema.nullable(),
      }),
    ),
  })
  .meta({ id: 'ProcessingStatus' })

export type ProcessingStatus = z.output<typeof statusSchema>
