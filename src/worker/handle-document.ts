import type { Logger } from 'pino'
import { toSheafError } from '../core/index.ts'
import { admitMembers, type ReceivedFile } from '../intake/index.ts'
import { judgeFailure, type Failure, type Lease, type Outcome } from '../queue/index.ts'
import type { BlobStore, StagedBlob } from '../storage/index.ts'
import type { DocumentWork } from './document-work.ts'
import type { ReaderPool } from './reader/pool.ts'
import { StageFailure, STAGES } from './stages.ts'

export interface DocumentHandlerOptions {
  store: BlobStore
  readers: ReaderPool
  log: Logger
  retryBaseSeconds: number
  /** The loaded document of a lease. */
  take(lease: Lease): DocumentWork | undefined
}

/** Takes one document through the stages and says how the attempt ended. */
export function documentHandler(
  options: DocumentHandlerOptions,
): (lease: Lease, signal: AbortSignal) => Promise<Outcome> {
  return async (lease, signal) => {
    const work = options.take(lease)
    if (!work)
      return failed(lease, { code: 'internal', stage: 'admit', detail: 'The document could not be loaded.' }, options)
    try {
      return await options.readers.lend(signal, async (reader) => {
        const stage = await runStages(work, { store: options.store, reader, signal })
        return ended(work, stage, await stageMembers(work, options.store))
      })
    } catch (error) {
      if (!(error instanceof StageFailure))
        options.log.warn({ err: error, document: work.document.id }, 'a stage failed')
      return failed(lease, error instanceof StageFailure ? error.failure : foreignFailure(error), options, work)
    }
  }
}

async function runStages(work: DocumentWork, context: Parameters<(typeof STAGES)[number]['run']>[1]): Promise<string> {
  let last = ''
  for (const stage of STAGES) {
    if (work.finished) break
    last = stage.name
    await stage.run(work, context)
  }
  return last
}

type Member = ReceivedFile & { index: number }

/** Members leave the reader's folder before the reader is given to somebody else. */
async function stageMembers(work: DocumentWork, store: BlobStore): Promise<Member[]> {
  const members: Member[] = []
  for (const member of work.members) {
    const staged: StagedBlob | null = member.refused ? null : await store.adopt(member.file)
    members.push({ index: member.index, path: member.path, staged, ...(member.refused && { refused: member.refused }) })
  }
  return members
}

function ended(work: DocumentWork, stage: string, members: Member[]): Outcome {
  const failedPages = work.facts.failedPages ?? 0
  const { lease, document } = work
  const isContainer = members.length > 0 || (work.finished && work.results.length === 0)
  if (isContainer) {
    work.results.push({
      stage: 'admit',
      blobKey: null,
      blobSha256: null,
      blobBytes: 0,
      data: { issues: work.issues, members: members.length },
    })
  }
  return {
    state: failedPages > 0 ? 'partial' : 'succeeded',
    stage,
    error: null,
    facts: { ...work.facts, mediaType: work.mediaType, issueCount: work.issues.length },
    results: work.results,
    ...(members.length > 0 && {
      also: async (tx) => {
        await admitMembers(
          tx,
          { workspaceId: lease.workspaceId, userId: null },
          lease.batchId!,
          { documentId: document.id, position: document.position },
          members,
        )
      },
    }),
  }
}

function failed(lease: Lease, failure: Failure, options: DocumentHandlerOptions, work?: DocumentWork): Outcome {
  const verdict = judgeFailure(failure, lease, {
    baseSeconds: options.retryBaseSeconds,
    random: Math.random(),
    at: new Date(),
  })
  return {
    state: verdict.state,
    stage: failure.stage,
    error: verdict.error,
    verdict,
    facts: { mediaType: work?.mediaType ?? null, issueCount: work?.issues.length ?? 0 },
  }
}

/** Storage that is away is waited for; anything else that was not foreseen is `internal`. */
function foreignFailure(error: unknown): Failure {
  const { code, detail } = toSheafError(error)
  const failure: Failure = { code, stage: 'admit', ...(detail !== undefined && { detail }) }
  if (code === 'no_space' || code === 'write_failed') return { ...failure, waitingFor: 'storage' }
  if (code === 'unavailable') return { ...failure, waitingFor: 'database' }
  return failure
}
