import type { Pipeline, ReadingIssue } from '../core/index.ts'
import { type Database, sql } from '../database/index.ts'
import type { DocumentFacts, Lease, StageResult } from '../queue/index.ts'
import type { StagedBlob } from '../storage/index.ts'
import type { ReadingFacts, UnpackedMember } from './reader/protocol.ts'

/** What a reading left in `results.data`. */
export interface ReadingData extends ReadingFacts {
  mediaType: string
  reader: string
}

/** One document on its way through the stages of one attempt. */
export interface DocumentWork {
  lease: Lease
  document: { id: string; path: string; sha256: string; bytes: number; position: number[] }
  pipeline: Pipeline
  passwords: string[]
  /** Local copy of the content, inside the reader's input folder. */
  file: string | null
  mediaType: string | null
  issues: ReadingIssue[]
  facts: DocumentFacts
  results: StageResult[]
  members: (UnpackedMember & { refused?: { code: 'bad_zip' | 'truncated' | 'archive_limits'; detail?: string } })[]
  /** Bytes that have no name yet. */
  staged: StagedBlob[]
  /** A reading of the same content by the same reader that is already stored. */
  stored: { key: string; sha256: string; bytes: number; data: ReadingData } | null
  /** Set by a stage after which nothing is left to do. */
  finished: boolean
}

/** Loads the documents, pipelines and stored readings of a group of leases: one transaction for each workspace. */
export async function loadDocuments(
  database: Database,
  leases: readonly Lease[],
  reader: string,
): Promise<Map<number, DocumentWork>> {
  const loaded = new Map<number, DocumentWork>()
  const documents = leases.filter((lease) => lease.kind === 'document')
  for (const [workspaceId, group] of Map.groupBy(documents, (lease) => lease.workspaceId)) {
    const byId = new Map(group.map((lease) => [lease.id, lease]))
    const rows = await database.asUser(
      { workspaceId, userId: null },
      async (tx) =>
        (
          await tx.execute<Record<string, unknown>>(sql`
      select j.id as job_id, d.id, d.path, d.sha256, d.bytes, d.position, r.pipeline, r.passwords, j.secret,
        s.blob_key, s.blob_sha256, s.data, b.bytes as blob_bytes
      from jobs j
      join documents d on d.workspace_id = j.workspace_id and d.id = j.document_id
      join runs r on r.workspace_id = j.workspace_id and r.batch_id = j.batch_id and r.number = j.run_number
      left join blobs b on b.workspace_id = j.workspace_id and b.key = j.workspace_id::text || '/reading/' || d.sha256 || '-' || ${reader}::text
      left join lateral (select blob_key, blob_sha256, data from results s where s.workspace_id = b.workspace_id and s.blob_key = b.key limit 1) s on true
      where j.workspace_id = ${workspaceId} and j.id = any(${sql.param([...byId.keys()])}::bigint[])`)
        ).rows,
    )
    for (const row of rows) loaded.set(row['job_id'] as number, toWork(byId.get(row['job_id'] as number)!, row))
  }
  return loaded
}

function toWork(lease: Lease, row: Record<string, unknown>): DocumentWork {
  const pipeline = row['pipeline'] as Pipeline
  const secret = row['secret'] as string | null
  return {
    lease,
    pipeline,
    document: {
      id: row['id'] as string,
      path: row['path'] as string,
      sha256: row['sha256'] as string,
      bytes: row['bytes'] as number,
      position: row['position'] as number[],
    },
    passwords: [...(secret === null ? [] : [secret]), ...(row['passwords'] as string[])],
    file: null,
    mediaType: null,
    issues: [],
    facts: {},
    results: [],
    members: [],
    staged: [],
    finished: false,
    stored:
      row['blob_key'] === null
        ? null
        : {
            key: row['blob_key'] as string,
            sha256: row['blob_sha256'] as string,
            bytes: row['blob_bytes'] as number,
            data: row['data'] as ReadingData,
          },
  }
}
