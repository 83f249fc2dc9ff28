import { batchPath, findBatch, listAll, type Batch } from '../client/batches.ts'
import { connect } from '../connect.ts'
import { EXIT } from '../failure.ts'
import type { Invocation } from '../invocation.ts'
import { processed } from '../run/follow.ts'
import { tableLines, type TableColumn } from '../table.ts'
import { count, duration, printable } from '../terminal.ts'

const COLUMNS: readonly TableColumn<Batch>[] = [
  { title: 'NAME', value: (batch) => printable(batch.name) },
  { title: 'STATUS', value: (batch) => batch.status },
  { title: 'DONE', align: 'right', value: (batch) => `${processed(batch)} of ${batch.counters.total}` },
  { title: 'FAILED', align: 'right', value: ({ counters }) => String(counters.failed + counters.needsInput) },
  { title: 'CREATED', value: (batch) => localTime(batch.createdAt) },
  { title: 'ID', value: (batch) => batch.id },
]

/** `sheaf batches`: all batches, the newest first. */
export async function showBatches(invocation: Invocation): Promise<number> {
  const { terminal, flags } = invocation
  const connection = await connect(invocation, { worker: 'none' })
  try {
    const batches: Batch[] = []
    for await (const page of listAll<Batch>(connection, '/api/batches')) batches.push(...page)
    if (flags.json) terminal.printJson(batches)
    else if (batches.length === 0) terminal.say('There are no batches yet. Make one: sheaf run FOLDER --out RESULTS')
    else for (const line of tableLines(COLUMNS, batches)) terminal.print(line)
    return EXIT.ok
  } finally {
    await connection.close()
  }
}

/** A row of the view batch_processing_status; only what is shown to people is named. */
interface StatusRow extends Record<string, unknown> {
  batch_started_at: string | null
  batch_completed_at: string | null
  processing_hours: number | null
  top_error_types: { category: string; code: string; message: string; count: number }[]
}

/** `sheaf status BATCH`: how far it is and what went wrong; `--json` gives the 19 columns and the batch. */
export async function showStatus(invocation: Invocation, argument: string): Promise<number> {
  const { terminal, flags } = invocation
  const connection = await connect(invocation, { worker: 'none' })
  try {
    const { id } = await findBatch(connection, argument)
    const [row, batch] = await Promise.all([
      connection.request<StatusRow>('GET', batchPath(id, '/status')),
      connection.request<Batch>('GET', batchPath(id)),
    ])
    if (flags.json) terminal.printJson({ ...row, batch })
    else for (const line of statusLines(invocation, batch, row)) terminal.print(line)
    return EXIT.ok
  } finally {
    await connection.close()
  }
}

function statusLines({ terminal }: Invocation, batch: Batch, row: StatusRow): string[] {
  const { counters } = batch
  const states = Object.entries({
    waiting: counters.received + counters.queued,
    running: counters.running,
    'waiting for a retry': counters.retryWait,
    'needing a password': counters.needsInput,
    succeeded: counters.succeeded,
    'read in part': counters.partial,
    failed: counters.failed,
    skipped: counters.skipped,
    cancelled: counters.cancelled,
  })
    .filter(([, number]) => number > 0)
    .map(([state, number]) => `${number.toLocaleString('en-US')} ${state}`)
  return [
    `${terminal.style('bold', printable(batch.name))}  ${batch.status}${batch.intake === 'open' ? ', takes files' : ''}`,
    `  id        ${batch.id}`,
    `  created   ${localTime(batch.createdAt)}${batch.run > 1 ? `, run ${batch.run}` : ''}`,
    `  done      ${processed(batch).toLocaleString('en-US')} of ${count(counters.total, 'document')}${row.processing_hours ? ` in ${duration(row.processing_hours * 3600)}` : ''}`,
    ...(states.length > 0 ? [`  documents ${states.join(', ')}`] : []),
    ...row.top_error_types.map(
      (error) => `  ${terminal.style('red', `${error.count} × ${error.category}`)}: ${error.message} (${error.code})`,
    ),
  ]
}

/** Date and time of this machine's zone, sortable. */
function localTime(iso: string): string {
  const at = new Date(iso)
  const two = (number: number): string => String(number).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}
