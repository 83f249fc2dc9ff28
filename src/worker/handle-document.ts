import type { Logger } from 'pino'
import { toSheafError } from '../core/index.ts'
import { admitMembers, type ReceivedFile } from '../intake/index.ts'
import { judgeFailure, type Failure, type Lease, type Outcome, type StageResult } from '../queue/index.ts'
import type { BlobStore } from '../storage/index.ts'
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
    const loaded = options.take(lease)
    if (!loaded)
      return failed(lease, { code: 'internal', stage: 'admit', detail: 'The document could not be loaded.' }, options)
    let work = loaded
    try {
      return await options.readers.lend(signal, async (reader) => {
        await discardStaged(work)
        work = fresh(loaded)
        const stage = await runStages(work, { store: options.store, reader, signal })
        return ended(work, stage, await stageMembers(work, options.store))
      })
    } catch (error) {
      const isForeseen = error instanceof StageFailure || signal.aborted
      if (!isForeseen) options.log.warn({ err: error, document: work.document.id }, 'a stage failed')
      return failed(lease, error instanceof StageFailure ? error.failure : foreignFailure(error), options, work)
    }
  }
}

/** As it was loaded: an attempt begins again when its reader dies of another document. */
function fresh(work: DocumentWork): DocumentWork {
  return { ...work, issues: [], facts: {}, results: [], members: [], staged: [] }
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

/** Files are synced side by side: the disk takes many at once nearly as fast as one. */
const STAGED_AT_ONCE = 32

/** Members leave the reader's folder before the reader is given to somebody else. */
async function stageMembers(work: DocumentWork, store: BlobStore): Promise<Member[]> {
  const members: Member[] = []
  for (let i = 0; i < work.members.length; i += STAGED_AT_ONCE) {
    const group = work.members.slice(i, i + STAGED_AT_ONCE)
    members.push(...(await Promise.all(group.map((member) => stageMember(member, work, store)))))
  }
  return members
}

async function stageMember(
  { index, path, file, refused }: DocumentWork['members'][number],
  work: DocumentWork,
  store: BlobStore,
): Promise<Member> {
  if (refused) return { index, path, staged: null, refused }
  const staged = await store.adopt(file)
  work.staged.push(staged)
  return { index, path, staged }
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
    cleanup: () => discardStaged(work),
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
    ...(work && { cleanup: () => discardStaged(work), results: issuesOf(work) }),
  }
}

/** What was noticed before the failure stays visible. */
function issuesOf({ issues }: DocumentWork): StageResult[] {
  if (issues.length === 0) return []
  return [{ stage: 'admit', blobKey: null, blobSha256: null, blobBytes: 0, data: { issues } }]
}

async function discardStaged(work: DocumentWork): Promise<void> {
  await Promise.all(work.staged.map((blob) => blob.discard()))
}

/** Storage that is away is waited for; anything else that was not foreseen is `internal`. */
function foreignFailure(error: unknown): Failure {
  const { code, detail } = toSheafError(error)
  const failure: Failure = { code, stage: 'admit', ...(detail !== undefined && { detail }) }
  if (code === 'no_space' || code === 'write_failed') return { ...failure, waitingFor: 'storage' }
  if (code === 'unavailable') return { ...failure, waitingFor: 'database' }
  return failure
}
