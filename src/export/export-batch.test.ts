import { text as readText } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '../core/index.ts'
import { sql, type UserContext } from '../database/index.ts'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import { exportBatch, manifestBatch } from './index.ts'

/** More than two pages of rows. */
const DOCUMENTS = 1100

let db: TestDatabase
let context: UserContext
const batchId = newId()
const scope = { batchId, runNumber: 1 }

const ERROR = {
  code: 'bad_pdf',
  category: 'corrupt',
  message: 'The PDF is damaged and cannot be opened.',
  at: '2024-01-01T00:00:00Z',
}

async function insertBatch(): Promise<void> {
  const documents = Array.from({ length: DOCUMENTS }, (_, index) => ({ id: newId(), number: index + 1, member: false }))
  const rows = [...documents, { id: newId(), number: 3, member: true }]
  await db.database.asUser(context, async (tx) => {
    await tx.execute(
      sql`insert into batches (workspace_id, id, name) values (${context.workspaceId}, ${batchId}, 'exports')`,
    )
    await tx.execute(
      sql`insert into runs (workspace_id, batch_id, number, pipeline) values (${context.workspaceId}, ${batchId}, 1, '{}')`,
    )
    // the largest number first: the order of an export is that of the positions, not that of the rows
    await tx.execute(sql`
      insert into documents (workspace_id, id, batch_id, position, path, sha256, bytes, media_type)
      select ${context.workspaceId}::uuid, id, ${batchId}::uuid, case when member then array[number, 1] else array[number] end,
        case when number = 5 then '=cmd|x' when member then 'a/3.zip/inner.txt' else 'a/' || number || '.txt' end,
        case when number <> 7 then lpad(number::text, 64, '0') end, number, 'text/plain'
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as d(id uuid, number integer, member boolean) order by number desc`)
    await tx.execute(sql`
      insert into jobs (workspace_id, kind, batch_id, run_number, document_id, state, pages, words, language, error, error_code, error_category)
      select workspace_id, 'document', batch_id, 1, id, case when bytes = 9 then 'failed' else 'succeeded' end, 1, 20, 'en',
        case when bytes = 9 then ${JSON.stringify(ERROR)}::jsonb end, case when bytes = 9 then 'bad_pdf' end, case when bytes = 9 then 'corrupt' end
      from documents where workspace_id = ${context.workspaceId}`)
  })
}

beforeAll(async () => {
  db = await createTestDatabase()
  context = await db.workspace()
  await insertBatch()
})
afterAll(() => db.close())

describe('exports of a batch', () => {
  test('CSV holds every document once, in the order of the input', async () => {
    const lines = (await readText(exportBatch(db.database, context, { ...scope, format: 'csv' }))).split('\r\n')
    expect(lines).toHaveLength(DOCUMENTS + 3)
    expect(lines[1]).toBe(`a/1.txt,${'1'.padStart(64, '0')},1,text/plain,en,succeeded,1,20,,,`)
    expect(lines.slice(3, 6).map((line) => line.split(',')[0])).toEqual(['a/3.txt', 'a/3.zip/inner.txt', 'a/4.txt'])
    expect(lines[6]).toMatch(/^"'=cmd\|x",/)
    expect(lines[10]).toBe(
      `a/9.txt,${'9'.padStart(64, '0')},9,text/plain,en,failed,1,20,bad_pdf,corrupt,${ERROR.message}`,
    )
    expect(lines.at(-2)).toMatch(/^a\/1100\.txt,/)
  })

  test('JSON lines hold text as it is, and null where nothing is known', async () => {
    const lines = (await readText(exportBatch(db.database, context, { ...scope, format: 'jsonl' })))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines).toHaveLength(DOCUMENTS + 1)
    expect(lines[5]).toEqual({
      path: '=cmd|x',
      sha256: '5'.padStart(64, '0'),
      bytes: 5,
      mediaType: 'text/plain',
      language: 'en',
      state: 'succeeded',
      pages: 1,
      words: 20,
      errorCode: null,
      errorCategory: null,
      errorMessage: null,
    })
    expect(lines[7]).toMatchObject({ path: 'a/7.txt', sha256: null })
  })

  test('repeating an export gives the same bytes', async () => {
    for (const format of ['csv', 'jsonl'] as const) {
      const [first, second] = await Promise.all(
        [1, 2].map(() => readText(exportBatch(db.database, context, { ...scope, format }))),
      )
      expect(second).toBe(first)
    }
  })

  test('the manifest names every byte received', async () => {
    const lines = (await readText(manifestBatch(db.database, context, scope))).trimEnd().split('\r\n')
    expect(lines[0]).toBe('path,sha256,bytes,state,error_code')
    expect(lines).toHaveLength(DOCUMENTS + 2)
    expect(lines[8]).toBe('a/7.txt,,7,succeeded,')
  })

  test('another workspace sees nothing of it', async () => {
    const stranger = await db.workspace()
    expect(await readText(exportBatch(db.database, stranger, { ...scope, format: 'jsonl' }))).toBe('')
  })
})
