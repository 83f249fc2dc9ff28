import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkbench, type Workbench } from '../../test/support/workbench.ts'
import { sourceKey } from '../storage/index.ts'
import { collectGarbage, runDoctor } from './index.ts'

describe('the collection of garbage', () => {
  let bench: Workbench
  beforeAll(async () => {
    bench = await openWorkbench()
  })
  afterAll(() => bench.close())

  it('frees what an interrupted upload left, and keeps what a row refers to', async () => {
    const batch = await bench.batchOf({ 'kept.txt': 'kept' }, { open: true })
    const left = await bench.store.stage(Readable.from([Buffer.from('left by an upload that died')]))
    await left.commit(sourceKey(batch.context.workspaceId, left.sha256))
    const before = await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })
    expect(before).toMatchObject({ healthy: true, findings: [{ invariant: 'I6', level: 'warning', count: 1 }] })
    const freed = await collectGarbage(bench.test.database, bench.store, batch.context, { olderThanMs: 0 })
    expect(freed).toEqual({ objects: 1, bytes: left.bytes, staged: 0 })
    expect(await runDoctor(bench.test.database, bench.store, batch.context, { strict: true })).toEqual({
      healthy: true,
      findings: [],
    })
  })

  it('takes nothing from uploads of the same content that come at the same time', async () => {
    const context = await bench.test.workspace()
    // what is on its way is left alone, as it is when garbage has to be an hour old
    const store = { ...bench.store, sweep: () => Promise.resolve(0) }
    for (let round = 0; round < 10; round++) {
      const content = `content of round ${round}`
      const left = await bench.store.stage(Readable.from([Buffer.from(content)]))
      await left.commit(sourceKey(context.workspaceId, left.sha256))
      await Promise.all([
        collectGarbage(bench.test.database, store, context, { olderThanMs: -1000 }),
        bench.batchOf({ 'same.txt': content }, { context, open: true }),
      ])
    }
    const { findings } = await runDoctor(bench.test.database, bench.store, context, { strict: true })
    expect(findings.filter((finding) => finding.level === 'error')).toEqual([])
  })
})
