import { constants } from 'node:fs'
import { copyFile, link, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadingIssue } from '../core/index.ts'
import type { Failure, Lease } from '../queue/index.ts'
import type { DocumentWork } from './document-work.ts'
import type { ReaderSeat } from './reader/process.ts'
import { StageFailure, STAGES, type StageContext } from './stages.ts'

/** A file of this machine that is read without being stored. */
export interface FileToRead {
  /** Different for every file that is read with the same reader. */
  number: number
  /** As bytes where the name is not valid UTF-8. */
  file: string | Buffer
  sha256: string
  path: string
  passwords: string[]
  /** How many archives it lies inside. */
  depth: number
  /** Where what was read and unpacked is moved to; on the file system of the reader's folders. */
  keepIn: string
}

export type FileReading =
  /** `reading` is a file: the JSON of a Reading, compressed by zstd. `issues` were found before reading and are not in it. */
  | { outcome: 'read'; reading: string; issues: ReadingIssue[] }
  | { outcome: 'unpacked'; members: ({ path: string; file: string } | { path: string; failure: Failure })[] }
  | { outcome: 'failed'; failure: Failure }

/** Takes a file through the stages that need no database, with the limits of a worker. Never throws for its content. */
export async function readFileWith(reader: ReaderSeat, request: FileToRead, signal: AbortSignal): Promise<FileReading> {
  const kept = join(request.keepIn, String(request.number))
  const work = workFor(request)
  const store = passingStore(request.file, `${kept}.reading`)
  try {
    for (const stage of STAGES) {
      if (stage.name === 'save' || work.finished) break
      await stage.run(work, { store, reader, signal })
    }
    if (work.results.length > 0) return { outcome: 'read', reading: `${kept}.reading`, issues: work.issues }
    return { outcome: 'unpacked', members: await keepMembers(work, kept) }
  } catch (error) {
    if (error instanceof StageFailure) return { outcome: 'failed', failure: error.failure }
    throw error
  } finally {
    if (work.file) await rm(work.file, { force: true })
  }
}

function workFor({ number, path, sha256, depth, passwords }: FileToRead): DocumentWork {
  const lease = { id: number, workspaceId: 'none', limitFactor: 1 } as Lease
  const document = { id: '', path, sha256, bytes: 0, position: Array.from({ length: depth + 1 }, () => 1) }
  return {
    lease,
    document,
    pipeline: {},
    passwords,
    file: null,
    mediaType: null,
    issues: [],
    facts: {},
    results: [],
    members: [],
    staged: [],
    stored: null,
    finished: false,
  }
}

/** What the stages need of a store: the content comes from a file, and what was read goes to one. */
function passingStore(source: string | Buffer, reading: string): StageContext['store'] {
  const place = async (path: string): Promise<void> => {
    // a link where it is possible: the reader may not write to its input
    await link(source, path).catch(() => copyFile(source, path, constants.COPYFILE_FICLONE))
  }
  return {
    materialise: (_key: string, path: string) => place(path),
    adopt: async (file: string) => {
      await rename(file, reading)
      return { sha256: '', bytes: 0, commit: () => Promise.resolve(), discard: () => Promise.resolve() }
    },
  }
}

/** Members leave the reader's folder before the reader is given to somebody else. */
async function keepMembers(
  work: DocumentWork,
  kept: string,
): Promise<Extract<FileReading, { outcome: 'unpacked' }>['members']> {
  return Promise.all(
    work.members.map(async ({ index, path, file, refused }) => {
      if (refused) return { path, failure: { ...refused, stage: 'admit' } }
      const moved = `${kept}.${index}`
      await rename(file, moved)
      return { path, file: moved }
    }),
  )
}
