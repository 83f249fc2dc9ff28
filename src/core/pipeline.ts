import { z } from 'zod'

/** Presets by name. One that runs steps this version does not have is refused, not accepted and half done. */
export const PRESETS = ['read'] as const

const seconds = z.number().positive().max(36_000)

export const readOptionsSchema = z.strictObject({
  ocr: z.enum(['auto', 'always', 'never']).optional(),
  ocrEngine: z.enum(['auto', 'bundled', 'native']).optional(),
  ocrLanguages: z.array(z.string().min(2).max(40)).max(20).optional(),
  passwords: z.array(z.string().max(1000)).max(100).optional(),
})

/** What a run does to each document; stored with the run and never changed afterwards. */
export const pipelineSchema = z
  .strictObject({
    preset: z.enum(PRESETS).optional(),
    read: readOptionsSchema.optional(),
    limits: z.strictObject({ documentSeconds: seconds.optional(), pageSeconds: seconds.optional() }).optional(),
    /** R2 prompt fields are kept here until the extraction step reads them. */
    extract: z.looseObject({}).optional(),
  })
  .meta({ id: 'Pipeline' })

export type Pipeline = z.infer<typeof pipelineSchema>

export const pipelineInputSchema = z.union([z.enum(PRESETS), pipelineSchema])

/** Brings a preset name or a pipeline to the stored form. */
export function normalisePipeline(input: z.infer<typeof pipelineInputSchema> | undefined): Pipeline {
  if (input === undefined) return { preset: 'read' }
  return typeof input === 'string' ? { preset: input } : input
}
