import type { FastifyReply } from 'fastify'
import { BATCH_ENDS, PROCESSED_STATES, SheafError } from '../core/index.ts'
import { readBatch, type BatchRow, type Transaction } from '../database/index.ts'
import { PRIORITIES } from '../intake/index.ts'
import { etagOf } from './etag.ts'
import type { Batch } from './schemas/batch.ts'
import type { Caller } from './caller.ts'

const COUNTER_OF = { needs_input: 'needsInput' } as const

/** A batch as answers show it: what is stored, and what follows from it. */
export function toBatch(row: BatchRow): Batch {
  const { created, updated, ended, ...times } = row.times
  const processed = PROCESSED_STATES.reduce(
    (sum, state) => sum + row.counters[state === 'needs_input' ? COUNTER_OF[state] : state],
    0,
  )
  const { total } = row.counters
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    intake: row.intake,
    status: row.status,
    phase: phaseOf(row),
    startPolicy: row.startPolicy,
    priority: PRIORITIES[row.priority]!,
    pipeline: row.pipeline,
    ...promptsOf(row),
    run: row.run,
    counters: row.counters,
    totalDocuments: total,
    processedDocuments: processed,
    progress: total === 0 ? 0 : processed / total,
    error: row.error,
    summary: row.summary,
    createdBy: row.createdBy,
    workspaceId: row.workspaceId,
    timestamps: { created, ended, ...times },
    createdAt: created!,
    updatedAt: updated!,
    completedAt: ended,
  }
}

/** The words of row R1. */
function phaseOf({ intake, status }: BatchRow): Batch['phase'] {
  if (intake === 'open') return 'OPEN'
  return status === 'expired' || (BATCH_ENDS as readonly string[]).includes(status) ? 'CLOSED' : 'PROCESSING'
}

/** The words of row R2, as the view batch_processes has them. */
function promptsOf({ pipeline }: BatchRow): Pick<Batch, 'extractionPrompt' | 'promptStrategy'> {
  const { strategy, prompt, prompts } = (pipeline.extract ?? {}) as Record<string, unknown>
  const text = strategy === 'per_document' && prompts !== undefined ? JSON.stringify(prompts) : prompt
  return {
    extractionPrompt: typeof text === 'string' ? text : null,
    promptStrategy: typeof strategy === 'string' ? strategy : null,
  }
}

/** Reads a batch for an answer; throws not_found. */
export async function findBatch(tx: Transaction, caller: Caller, batchId: string, run?: number): Promise<BatchRow> {
  const row = await readBatch(tx, caller.workspaceId, batchId, run)
  if (!row) throw new SheafError('not_found')
  return row
}

/** Answers with a batch and the ETag of its version. */
export function answerBatch(reply: FastifyReply, row: BatchRow): Batch {
  reply.header('etag', etagOf(row.version))
  return toBatch(row)
}
