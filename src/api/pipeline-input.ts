import type { z } from 'zod'
import { normalisePipeline, type Pipeline, type pipelineInputSchema } from '../core/index.ts'
import { PROMPT_STRATEGIES, type NewBatchBody } from './schemas/batch.ts'

/** A pipeline as it is stored, and the passwords that are kept apart from it: they are part of no answer. */
export interface StoredPipeline {
  pipeline: Pipeline
  passwords: string[]
}

export function toStoredPipeline(input: z.output<typeof pipelineInputSchema> | undefined): StoredPipeline {
  const pipeline = normalisePipeline(input)
  if (!pipeline.read?.passwords) return { pipeline, passwords: [] }
  const { passwords, ...read } = pipeline.read
  return { pipeline: { ...pipeline, read }, passwords }
}

/** The prompt fields of row R2 become the extraction step; without a strategy it follows from what was given. */
export function withPrompts({ pipeline, passwords }: StoredPipeline, body: NewBatchBody): StoredPipeline {
  const { promptStrategy, globalPrompt, perDocPrompts } = body
  if (promptStrategy === undefined && globalPrompt === undefined && perDocPrompts === undefined)
    return { pipeline, passwords }
  const strategy =
    promptStrategy === undefined ? (perDocPrompts ? 'per_document' : 'global') : PROMPT_STRATEGIES[promptStrategy]
  const extract = {
    ...pipeline.extract,
    strategy,
    ...(globalPrompt !== undefined && { prompt: globalPrompt }),
    ...(perDocPrompts !== undefined && { prompts: perDocPrompts }),
  }
  return { pipeline: { ...pipeline, extract }, passwords }
}
