import { readFile } from 'node:fs/promises'
import { z } from 'zod'

const limit = z.number().int().positive().nullable()

/** A plan is data: how much a workspace may use. null means without limit. */
export const planSchema = z
  .strictObject({
    name: z.string(),
    maxFilesPerBatch: limit,
    maxFileBytes: limit,
    maxBatches: limit,
    maxStoredBytes: limit,
  })
  .meta({ id: 'Plan' })
export type Plan = z.infer<typeof planSchema>

export const UNLIMITED: Plan = {
  name: 'unlimited',
  maxFilesPerBatch: null,
  maxFileBytes: null,
  maxBatches: null,
  maxStoredBytes: null,
}

/** The plan of every workspace until accounts exist: the first of the file of SHEAF_PLANS, or `unlimited`. */
export async function loadPlan(file: string | null): Promise<Plan> {
  if (!file) return UNLIMITED
  const plans = z
    .array(planSchema)
    .nonempty()
    .parse(JSON.parse(await readFile(file, 'utf8')))
  return plans[0]!
}
