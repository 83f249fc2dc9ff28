import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { FAILPOINTS } from '../../../src/core/index.ts'
import { PersistentClient, type BatchAnswer, type DocumentEntry, type Ledger } from './client.ts'
import { chaosInputs } from './inputs.ts'
import { seededRandom, type Random } from './random.ts'
import { ServedSheaf } from './server.ts'

export interface ChaosReport {
  seed: number
  /** What was done to the processes, in order. */
  faults: string[]
  lost: string[]
  duplicated: string[]
  /** Snapshots whose counters do not add up. */
  deviations: string[]
  snapshots: number
  /** What the doctor found, and anything else that is not as it must be. */
  broken: string[]
  /** Milliseconds until the server was ready, after every kill. */
  restarts: number[]
  /** Path, hash and end of every document, without ids and times. */
  outcome: string
}

type Fault = 'server' | 'worker' | 'reader' | 'database' | 'failpoint'

/** One run with faults decided by the seed; without faults for the seed 0. */
export async function chaosRun(seed: number): Promise<ChaosReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sheaf-chaos-'))
  const server = new ServedSheaf(dataDir)
  const report: ChaosReport = {
    seed,
    faults: [],
    lost: [],
    duplicated: [],
    deviations: [],
    snapshots: 0,
    broken: [],
    restarts: [],
    outcome: '',
  }
  const watch = { stopped: false }
  try {
    const random = seededRandom(seed)
    const faults = seed === 0 ? [] : planFaults(random)
    await server.start(environmentOf(faults))
    const keeper = keepAlive(server, watch, report)
    const killer = injectFaults(server, faults, random, watch, report)
    await work(server, random, watch, report)
    watch.stopped = true
    await Promise.all([keeper, killer])
    report.restarts = server.starts.slice(1)
  } catch (error) {
    report.broken.push(error instanceof Error ? error.message : String(error))
  } finally {
    watch.stopped = true
    await server.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  return report
}

interface PlannedFault {
  kind: Fault
  afterMs: number
  failpoint?: string
}

function planFaults(random: Random): PlannedFault[] {
  const faults: PlannedFault[] = Array.from({ length: 1 + random.below(3) }, () => ({
    kind: random.pick(['server', 'worker', 'reader', 'database'] as const),
    afterMs: random.below(2500),
  }))
  // at most one reader dies by our hand: two deaths of one document's reader mean quarantine, rightly
  const planned = faults.filter(
    (fault, index) => fault.kind !== 'reader' || faults.findIndex((other) => other.kind === 'reader') === index,
  )
  if (random.next() < 0.6) {
    const names = Object.keys(FAILPOINTS).filter(
      (name) => !name.startsWith('child-') || !planned.some((fault) => fault.kind === 'reader'),
    )
    planned.push({ kind: 'failpoint', afterMs: 0, failpoint: `${random.pick(names)}:kill@${1 + random.below(4)}` })
  }
  return planned
}

function environmentOf(faults: readonly PlannedFault[]): Record<string, string> {
  const armed = faults.find((fault) => fault.failpoint)?.failpoint
  return armed ? { SHEAF_FAILPOINT: armed } : {}
}

/** Starts the server again whenever it is gone. */
async function keepAlive(server: ServedSheaf, watch: { stopped: boolean }, report: ChaosReport): Promise<void> {
  while (!watch.stopped) {
    if (!server.isRunning) {
      report.faults.push('start again')
      await server.start().catch((error: unknown) => {
        // killed again while it started, itself or its database; it says so and is started once more
        const isOurs = /SIGKILL|The database does not answer|terminating connection|Connection terminated/.test(
          String(error),
        )
        if (!isOurs) report.broken.push(String(error))
      })
    }
    await pause(5)
  }
}

async function injectFaults(
  server: ServedSheaf,
  faults: readonly PlannedFault[],
  random: Random,
  watch: { stopped: boolean },
  report: ChaosReport,
): Promise<void> {
  for (const fault of faults) {
    if (fault.failpoint) {
      report.faults.push(fault.failpoint)
      continue
    }
    await pause(fault.afterMs)
    if (watch.stopped) return
    if (fault.kind === 'server') await server.kill()
    else killOne(await victims(server, fault.kind), random)
    report.faults.push(`kill ${fault.kind} after ${fault.afterMs} ms`)
  }
}

async function victims(server: ServedSheaf, kind: Fault): Promise<number[]> {
  if (kind === 'database') return server.postmaster()
  const { workers, readers } = server.descendants()
  return kind === 'worker' ? workers : readers
}

function killOne(pids: readonly number[], random: Random): void {
  if (pids.length === 0) return
  try {
    process.kill(random.pick(pids), 'SIGKILL')
  } catch {
    // it ended by itself in this moment
  }
}

/** The client's side: upload, close, wait, delete a second batch, and compare what there is with what was promised. */
async function work(
  server: ServedSheaf,
  random: Random,
  watch: { stopped: boolean },
  report: ChaosReport,
): Promise<void> {
  const client = new PersistentClient(server)
  const ledger: Ledger = { batchId: await client.createBatch('kept'), uploads: [] }
  const sampler = sample(server, ledger.batchId, watch, report)
  const doomed: Ledger = { batchId: await client.createBatch('doomed'), uploads: [] }
  const files = chaosInputs()
  await client.upload(ledger, files, 1 + random.below(8))
  await client.upload(doomed, files.slice(0, 6), 6)
  await client.call(`/api/batches/${ledger.batchId}/close`, () => ({ method: 'POST' }))
  await deleteBatch(client, doomed.batchId)
  const batch = await ended(client, ledger.batchId)
  const documents = await client.documents(ledger.batchId)
  compare(ledger, documents, batch, report)
  await deleted(client, doomed.batchId)
  await diagnose(client, report)
  report.outcome = outcomeOf(documents)
  watch.stopped = true
  await sampler
}

async function deleteBatch(client: PersistentClient, batchId: string): Promise<void> {
  // the first answer may have been lost with the server: then the batch is already gone
  await client.call(
    `/api/batches/${batchId}`,
    () => ({ method: 'DELETE', headers: { 'if-match': '*' } }),
    [200, 202, 204, 404],
  )
}

async function ended(client: PersistentClient, batchId: string): Promise<BatchAnswer> {
  for (const deadline = performance.now() + 90_000; performance.now() < deadline; await pause(50)) {
    const batch = await client.call<BatchAnswer>(`/api/batches/${batchId}`)
    if (['completed', 'partial', 'failed', 'cancelled'].includes(batch.status)) return batch
  }
  throw new Error('the batch did not end within 90 s')
}

async function deleted(client: PersistentClient, batchId: string): Promise<void> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await pause(50)) {
    const receipt = await client.call<{ completedAt: string | null }>(`/api/deletions/${batchId}`)
    if (receipt.completedAt) return
  }
  throw new Error('the deletion did not end within 60 s')
}

function compare(ledger: Ledger, documents: readonly DocumentEntry[], batch: BatchAnswer, report: ChaosReport): void {
  const byId = new Map(documents.map((document) => [document.id, document]))
  for (const upload of ledger.uploads) {
    const document = byId.get(upload.documentId)
    if (!document) report.lost.push(`${upload.path} (${upload.documentId})`)
    else if (upload.sha256 !== null && document.sha256 !== upload.sha256)
      report.lost.push(`${upload.path}: other content`)
    if (document && document.attempts > 12) report.broken.push(`${upload.path}: ${document.attempts} attempts`)
  }
  for (const [path, same] of Map.groupBy(documents, (document) => document.path))
    if (same.length > 1) report.duplicated.push(`${path} × ${same.length}`)
  if (batch.counters['total'] !== documents.length)
    report.deviations.push(`total ${batch.counters['total']} of ${documents.length} documents`)
}

/** Reads the batch all the time: in every answer the counters must add up. */
async function sample(
  server: ServedSheaf,
  batchId: string,
  watch: { stopped: boolean },
  report: ChaosReport,
): Promise<void> {
  while (!watch.stopped) {
    const answer = await server
      .request(`/api/batches/${batchId}`)
      .then(
        (response) => (response.ok ? (response.json() as Promise<BatchAnswer>) : null),
        () => null,
      )
      .catch(() => null)
    if (answer) {
      const { total, ...states } = answer.counters
      const sum = Object.values(states).reduce((a, b) => a + b, 0)
      report.snapshots++
      if (sum !== total || Object.values(states).some((count) => count < 0))
        report.deviations.push(JSON.stringify(answer.counters))
    }
    await pause(20)
  }
}

async function diagnose(client: PersistentClient, report: ChaosReport): Promise<void> {
  await client.call('/api/gc?olderThanSeconds=0', () => ({ method: 'POST' }))
  const diagnosis = await client.call<{
    healthy: boolean
    findings: { invariant: string; message: string; samples: string[] }[]
  }>('/api/doctor?strict=true')
  for (const finding of diagnosis.findings)
    report.broken.push(`${finding.invariant}: ${finding.message} ${finding.samples.join(' ')}`)
}

function outcomeOf(documents: readonly DocumentEntry[]): string {
  const lines = documents
    .map((document) => [document.path, document.sha256, document.state, document.error?.code ?? ''].join('\t'))
    .sort()
  return `${createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16)}\n${lines.join('\n')}`
}

/** What is wrong with a run, in comparison with the undisturbed one; empty when all is well. */
export function verdict(report: ChaosReport, clean: ChaosReport): string[] {
  return [
    ...report.lost.map((what) => `lost: ${what}`),
    ...report.duplicated.map((what) => `duplicated: ${what}`),
    ...report.deviations.map((what) => `counters: ${what}`),
    ...report.broken.map((what) => `broken: ${what}`),
    ...(report.outcome && report.outcome !== clean.outcome
      ? [`another outcome than the undisturbed run:\n${difference(report.outcome, clean.outcome)}`]
      : []),
  ]
}

function difference(one: string, other: string): string {
  const [a, b] = [new Set(one.split('\n')), new Set(other.split('\n'))]
  return [
    ...[...a].filter((line) => !b.has(line)).map((line) => `+ ${line}`),
    ...[...b].filter((line) => !a.has(line)).map((line) => `- ${line}`),
  ].join('\n')
}
