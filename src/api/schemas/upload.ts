import { z } from 'zod'
import { DOCUMENT_STATES } from '../../core/index.ts'
import { documentErrorSchema, idSchema, plainText } from './basics.ts'

export const MOST_CHECKED = 1000

export const uploadQuery = z.strictObject({ batch_id: plainText(200).optional() })

export const uploadedSchema = z
  .object({
    batchId: idSchema,
    accepted: z.array(
      z.object({
        documentId: idSchema,
        path: z.string(),
        sha256: z.string(),
        bytes: z.number().int(),
        state: z.enum(DOCUMENT_STATES),
        duplicateOf: idSchema.optional(),
      }),
    ),
    refused: z.array(z.object({ path: z.string(), documentId: idSchema, error: documentErrorSchema })),
  })
  .meta({ id: 'Uploaded' })

export type Uploaded = z.output<typeof uploadedSchema>

/** Written by hand: multipart bodies are read as a stream and never checked as a whole. */
export const uploadRequestBody = {
  required: true,
  content: {
    'multipart/form-data': {
      schema: {
        type: 'object',
        properties: {
          key: {
            type: 'string',
            maxLength: 255,
            description: 'Makes sending the file that follows again harmless; unique in the batch.',
          },
          files: {
            type: 'array',
            items: { type: 'string', format: 'binary' },
            description: 'The file name may hold a relative path with /.',
          },
        },
        required: ['files'],
      },
    },
  },
}

const sha256 = z.string().regex(/^[0-9a-fA-F]{64}$/, 'is not a SHA-256 in hexadecimal')
export const checkSchema = z.strictObject({ sha256: z.array(sha256).max(MOST_CHECKED) }).meta({ id: 'ContentCheck' })
export const checkedSchema = z.object({ known: z.array(z.string()) }).meta({ id: 'ContentChecked' })
