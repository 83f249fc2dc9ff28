import { type Database, sql } from '../database/index.ts'

/** A lease: the right to work on a job until `attempt` is overtaken. */
export interface Lease {
  workspaceId: string
  id: number
  kind: string
  batchId: string | null
  runNumber: number | null
  documentId: string | null
  generation: number
  attempt: number
  attemptsUsed: number
  childDeaths: number
  limitFactor: number
  data: Record<string, unknown> | null
}

export const LEASE_SECONDS = 30

/**
 * Leases up to `limit` jobs of the given kinds: by priority, then virtual time. Jobs that another worker is leasing in
 * this moment are passed over, and kinds this program does not know are left alone. A claim lost with the database
 * server is harmless (the fence of the completion fails), so it does not wait for the disk. The locked rows are found
 * again by their place, because a join on the key reads the whole table for a large claim; a row that somebody changed
 * between snapshot and lock has moved and is left for the next claim.
 */
export function claimJobs(
  database: Database,
  worker: number,
  limit: number,
  kinds: readonly string[],
): Promise<Lease[]> {
  return database.asSystem(
    'lease',
    async (tx) => {
      const { rows } = await tx.execute<Record<string, unknown>>(sql`
      with picked as (
        select ctid as place, priority, vt from jobs
        where state = 'queued' and not held and kind = any(${sql.param(kinds)}::text[])
        order by priority desc, vt, id limit ${limit} for update skip locked
      ), clock as (
        update queue_clock c set vt = reached.vt
        from (select priority, max(vt) as vt from picked group by priority) reached,
          (select priority from queue_clock for update skip locked) free
        where c.priority = reached.priority and free.priority = c.priority and c.vt < reached.vt
      )
      update jobs j set state = 'running', attempt = j.attempt + 1, attempts_used = least(j.attempts_used + 1, 4), leased_by = ${worker},
        leased_until = now() + make_interval(secs => ${LEASE_SECONDS}), started_at = coalesce(j.started_at, now()),
        attempt_started_at = now(), ended_at = null, next_attempt_at = null, waiting_for = null
      where j.ctid = any(array(select place from picked))
      returning j.workspace_id, j.id, j.kind, j.batch_id, j.run_number, j.document_id, j.generation, j.attempt, j.attempts_used,
        j.child_deaths, j.limit_factor, j.data, j.priority, j.vt`)
      if (rows.length > 0) await markStarted(tx, rows)
      return rows.sort(byTurn).map(toLease)
    },
    { relaxed: true },
  )
}

/** UPDATE … RETURNING keeps no order. */
function byTurn(a: Record<string, unknown>, b: Record<string, unknown>): number {
  return (
    Number(b['priority']) - Number(a['priority']) ||
    Number(a['vt']) - Number(b['vt']) ||
    Number(a['id']) - Number(b['id'])
  )
}

function toLease(row: Record<string, unknown>): Lease {
  return {
    workspaceId: row['workspace_id'] as string,
    id: row['id'] as number,
    kind: row['kind'] as string,
    batchId: row['batch_id'] as string | null,
    runNumber: row['run_number'] as number | null,
    documentId: row['document_id'] as string | null,
    generation: row['generation'] as number,
    attempt: row['attempt'] as number,
    attemptsUsed: row['attempts_used'] as number,
    childDeaths: row['child_deaths'] as number,
    limitFactor: row['limit_factor'] as number,
    data: row['data'] as Record<string, unknown> | null,
  }
}

/** queued → processing. A batch row that is locked right now is passed over; the next claim or the sweeper sees to it. */
async function markStarted(
  tx: Parameters<Parameters<Database['asSystem']>[1]>[0],
  rows: Record<string, unknown>[],
): Promise<void> {
  const batches = [
    ...new Set(
      rows.filter((row) => row['kind'] === 'document').map((row) => `${row['workspace_id']}/${row['batch_id']}`),
    ),
  ]
  if (batches.length === 0) return
  await tx.execute(sql`
    update batches b set status = 'processing', started_at = coalesce(b.started_at, now()), updated_at = now(), version = b.version + 1
    from (select workspace_id, id from batches where (workspace_id::text || '/' || id::text) = any(${sql.param(batches)}::text[])
      and workspace_id = any(${sql.param(batches.map((key) => key.slice(0, 36)))}::uuid[]) and id = any(${sql.param(batches.map((key) => key.slice(37)))}::uuid[])
      and status in ('open', 'queued') for update skip locked) free
    where b.workspace_id = free.workspace_id and b.id = free.id and b.status in ('open', 'queued')`)
}

/** Extends what the worker still holds; returns the ids of leases it has lost. */
export function heartbeat(database: Database, worker: number, leases: readonly Lease[]): Promise<Set<number>> {
  return database.asSystem(
    'lease',
    async (tx) => {
      await tx.execute(sql`update workers set seen_at = now() where number = ${worker}`)
      if (leases.length === 0) return new Set()
      const held = leases.map((lease) => ({ workspace_id: lease.workspaceId, id: lease.id, attempt: lease.attempt }))
      const { rows } = await tx.execute<{ id: number }>(sql`
      update jobs j set leased_until = now() + make_interval(secs => ${LEASE_SECONDS})
      from jsonb_to_recordset(${JSON.stringify(held)}::jsonb) as h(workspace_id uuid, id bigint, attempt integer)
      where j.workspace_id = h.workspace_id and j.id = h.id and j.attempt = h.attempt and j.leased_by = ${worker} and j.state = 'running'
      returning j.id`)
      const kept = new Set(rows.map((row) => row.id))
      return new Set(leases.filter((lease) => !kept.has(lease.id)).map((lease) => lease.id))
    },
    { relaxed: true },
  )
}

/** Gives leases back without using up their attempts: the worker stops. */
export function releaseLeases(database: Database, worker: number, leases: readonly Lease[]): Promise<void> {
  if (leases.length === 0) return Promise.resolve()
  const held = leases.map((lease) => ({ workspace_id: lease.workspaceId, id: lease.id, attempt: lease.attempt }))
  return database.asSystem('lease', async (tx) => {
    await tx.execute(sql`
      with released as (
        update jobs j set state = 'queued', leased_by = null, leased_until = null, attempts_used = greatest(j.attempts_used - 1, 0)
        from jsonb_to_recordset(${JSON.stringify(held)}::jsonb) as h(workspace_id uuid, id bigint, attempt integer)
        where j.workspace_id = h.workspace_id and j.id = h.id and j.attempt = h.attempt and j.leased_by = ${worker} and j.state = 'running'
        returning j.workspace_id, j.id, j.attempt, j.generation, j.stage, j.attempt_started_at)
      insert into attempts (workspace_id, job_id, number, generation, worker, stage, started_at, outcome)
      select workspace_id, id, attempt, generation, ${worker}, stage, attempt_started_at, 'released' from released on conflict do nothing`)
    await tx.execute(sql`select pg_notify('sheaf_work', '')`)
  })
}
