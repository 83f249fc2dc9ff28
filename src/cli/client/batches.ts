import type { BatchStatus, Counters, DocumentError } from '../../core/index.ts'
import type { Connection } from '../connect.ts'
import { CommandFailure, EXIT } from '../failure.ts'
import { printable } from '../terminal.ts'

/** A batch as the API answers it; only what commands look at is named. */
export interface Batch {
  id: string
  name: string
  intake: 'open' | 'closed'
  status: BatchStatus
  run: number
  counters: Counters
  progress: number
  timestamps: Record<string, string | null>
  pipeline: unknown
  summary: Record<string, unknown> | null
  error: string | null
  createdAt: string
}

/** A document as the API lists it. */
export interface ListedDocument {
  id: string
  path: string
  state: string
  error: DocumentError | null
}

interface Page<T> {
  items: T[]
  nextCursor: string | null
}

const ENDS: readonly string[] = ['completed', 'partial', 'failed', 'cancelled', 'expired']

/** Whether nothing changes any more unless a person asks for it. */
export function hasEnded(batch: Pick<Batch, 'status'>): boolean {
  return ENDS.includes(batch.status)
}

export const batchPath = (id: string, below = ''): string => `/api/batches/${encodeURIComponent(id)}${below}`

export function readBatch(connection: Connection, id: string): Promise<Batch> {
  return connection.request<Batch>('GET', batchPath(id))
}

/** All items of a list, page by page. */
export async function* listAll<T>(
  connection: Connection,
  path: string,
  query: Record<string, string> = {},
): AsyncGenerator<T[]> {
  let cursor: string | null = null
  do {
    const parameters = new URLSearchParams({ limit: '500', ...query, ...(cursor !== null && { cursor }) })
    const page: Page<T> = await connection.request<Page<T>>('GET', `${path}?${parameters}`)
    yield page.items
    cursor = page.nextCursor
  } while (cursor !== null)
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const SHOWN_CANDIDATES = 10

/** The batch that an argument names: an id or an unambiguous name. Throws exit code 3 for none, 2 for several. */
export async function findBatch(connection: Connection, argument: string): Promise<Batch> {
  if (UUID.test(argument)) return readBatch(connection, argument)
  const named: Batch[] = []
  for await (const page of listAll<Batch>(connection, '/api/batches', { name: argument }))
    named.push(...page.filter((batch) => batch.name === argument))
  if (named.length === 1) return named[0]!
  if (named.length === 0)
    throw new CommandFailure(EXIT.notFound, `There is no batch named "${printable(argument)}".`, 'See `sheaf batches`.')
  const lines = named
    .slice(0, SHOWN_CANDIDATES)
    .map((batch) => `  ${batch.id}  ${batch.status.padEnd(10)}  created ${batch.createdAt}`)
  const rest = named.length > lines.length ? [`  and ${named.length - lines.length} more`] : []
  throw new CommandFailure(
    EXIT.usage,
    `${named.length} batches are named "${printable(argument)}".`,
    ['Give the id of one of them:', ...lines, ...rest].join('\n'),
  )
}
