import { READER_VERSION } from '../parse/index.ts'
import { failpoint } from '../core/index.ts'
import type { Failure } from '../queue/index.ts'
import { readingKey, sourceKey, type BlobStore } from '../storage/index.ts'
import type { DocumentWork, ReadingData } from './document-work.ts'
import type { ReaderAnswer, ReaderQuestion } from './reader/protocol.ts'
import type { ReaderSeat } from './reader/process.ts'
import { ReaderDied, type ReaderLimits } from './reader/watch.ts'

/** What a stage may use. */
export interface StageContext {
  store: Pick<BlobStore, 'materialise' | 'adopt'>
  reader: ReaderSeat
  signal: AbortSignal
}

/** Ends the attempt; what follows is decided by queue/retry-policy.ts. */
export class StageFailure extends Error {
  override readonly name = 'StageFailure'
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.code)
    this.failure = failure
  }
}

export interface Stage {
  name: 'admit' | 'parse' | 'save'
  run(work: DocumentWork, context: StageContext): Promise<void>
}

/** The pipeline. Every document goes through these in this order; this list is the only one. */
export const STAGES: readonly Stage[] = [
  { name: 'admit', run: admit },
  { name: 'parse', run: parse },
  { name: 'save', run: save },
]

const DOCUMENT_SECONDS = 60
const PAGE_SECONDS = 60
const SECONDS_PER_PAGE = 2
const LONGEST_SECONDS = 600
const MEMORY_BYTES = 600 * 1024 * 1024

/** Brings the content next to the reader, checks that it is what was stored, tells its type, and unpacks archives. */
async function admit(work: DocumentWork, context: StageContext): Promise<void> {
  if (work.stored) {
    work.mediaType = work.stored.data.mediaType
    return
  }
  work.file = context.reader.content
  await context.store.materialise(sourceKey(work.lease.workspaceId, work.document.sha256), work.file)
  const answer = await ask(work, context, 'admit', {
    operation: 'detect',
    file: work.file,
    name: work.document.path,
    sha256: work.document.sha256,
  })
  if (answer.operation !== 'detect') throw unexpected('admit', answer)
  work.mediaType = answer.mediaType
  if (answer.mismatch) work.issues.push({ code: 'type_mismatch', message: answer.mismatch })
  if (answer.isArchive) return unpack(work, context)
  if (!answer.isReadable) throw new StageFailure({ code: 'unsupported_type', stage: 'admit', detail: answer.mediaType })
}

async function unpack(work: DocumentWork, context: StageContext): Promise<void> {
  const answer = await ask(work, context, 'admit', {
    operation: 'unpack',
    file: work.file!,
    mediaType: work.mediaType!,
    directory: await context.reader.openMembers(),
    depth: work.document.position.length - 1,
    name: work.document.path,
    passwords: work.passwords,
  })
  if (answer.operation !== 'unpack') throw unexpected('admit', answer)
  for (const { path, reason } of answer.skipped.filter((entry) => entry.reason !== 'directory')) {
    work.issues.push({ code: 'member_skipped', message: `${path}: ${reason}` })
  }
  work.members = [
    ...answer.members,
    ...answer.failedMembers.map(({ index, path, code, detail }) => ({
      index,
      path,
      bytes: 0,
      file: '',
      refused: { code: code as 'bad_zip', ...(detail !== undefined && { detail }) },
    })),
  ].map((member) => ({ ...member, path: `${work.document.path}/${member.path}` }))
  work.finished = true
}

/** Reads pages, blocks and tables; what was read is a blob of its own, so that no run reads the same content twice. */
async function parse(work: DocumentWork, context: StageContext): Promise<void> {
  const key = readingKey(work.lease.workspaceId, work.document.sha256, READER_VERSION)
  if (work.stored) {
    const { sha256, bytes, data } = work.stored
    // what was noted about the name of another document with this content is not true of this one
    const issues = data.issues.filter((issue) => issue.code !== 'type_mismatch')
    work.results.push({ stage: 'parse', blobKey: key, blobSha256: sha256, blobBytes: bytes, data: { ...data, issues } })
    return
  }
  const output = context.reader.reading
  const answer = await ask(work, context, 'parse', {
    operation: 'read',
    file: work.file!,
    path: work.document.path,
    mediaType: work.mediaType!,
    sha256: work.document.sha256,
    output,
    passwords: work.passwords,
    pageSeconds: pageSeconds(work),
  })
  if (answer.operation !== 'read') throw unexpected('parse', answer)
  failpoint('after-read')
  const blob = await context.store.adopt(output, answer.written)
  work.staged.push(blob)
  const data: ReadingData = { ...answer.facts, mediaType: work.mediaType!, reader: READER_VERSION }
  work.facts.parseMs = answer.milliseconds
  work.results.push({
    stage: 'parse',
    blobKey: key,
    blobSha256: blob.sha256,
    blobBytes: blob.bytes,
    place: () => blob.commit(key),
    data: { ...data },
  })
}

/** Draws the facts together that lists and summaries show. */
async function save(work: DocumentWork): Promise<void> {
  const result = work.results.find(({ stage }) => stage === 'parse')!
  const data = result.data as unknown as ReadingData
  result.data = { ...data, issues: [...work.issues, ...data.issues] }
  work.issues = [...work.issues, ...data.issues]
  Object.assign(work.facts, {
    pages: data.pages,
    words: data.words,
    failedPages: data.failedPages.length,
    language: data.language,
  })
}

async function ask(
  work: DocumentWork,
  context: StageContext,
  stage: Stage['name'],
  question: ReaderQuestion,
): Promise<ReaderAnswer> {
  failpoint('before-read')
  let answer: ReaderAnswer
  try {
    answer = await context.reader.ask(question, readerLimits(work), context.signal)
  } catch (error) {
    if (error instanceof ReaderDied && error.end !== 'bystander') throw new StageFailure(deathFailure(error, stage))
    throw error
  }
  if (answer.operation === 'failed') {
    const { code, detail, page } = answer
    throw new StageFailure({
      code,
      stage,
      ...(detail !== undefined && { detail }),
      ...(page !== undefined && { page }),
    })
  }
  return answer
}

function deathFailure(died: ReaderDied, stage: string): Failure {
  if (died.end === 'timeout') return { code: 'parser_timeout', stage }
  if (died.end === 'page_timeout') return { code: 'page_timeout', stage }
  if (died.end === 'memory') return { code: 'parser_memory', stage, childDied: true }
  return { code: 'parser_crash', stage, childDied: true }
}

function pageSeconds(work: DocumentWork): number {
  return (work.pipeline.limits?.pageSeconds ?? PAGE_SECONDS) * work.lease.limitFactor
}

/** Limits of one question; a retry with a longer limit multiplies them. */
function readerLimits(work: DocumentWork): ReaderLimits {
  const factor = work.lease.limitFactor * 1000
  const asked = work.pipeline.limits?.documentSeconds
  return {
    documentMs: (asked ?? DOCUMENT_SECONDS) * factor,
    perPageMs: asked === undefined ? SECONDS_PER_PAGE * factor : 0,
    longestMs: (asked ?? LONGEST_SECONDS) * factor,
    pageMs: pageSeconds(work) * 1000,
    memoryBytes: MEMORY_BYTES,
  }
}

function unexpected(stage: string, answer: ReaderAnswer): StageFailure {
  return new StageFailure({ code: 'internal', stage, detail: `The reader answered ${answer.operation}.` })
}
