import { type Database, sql, WORKER_LOCK_CLASS } from '../database/index.ts'
import { settleBatch, unfinishedDocuments } from './settle.ts'

/**
 * What keeps the queue moving when a process dies or nobody looks: each function is safe to run in every worker at the
 * same time, because each change is guarded by the state it starts from.
 */

/** A worker that lost its connection takes its lock again within this time; a dead one does not. */
const MISSING_MS = 250
/** A job of lower priority that waited so long is served before higher ones. */
const STARVING_SECONDS = 60
const STARVING_AT_ONCE = 10

/** Takes over what dead workers held and what nobody renewed; the attempt is not used up. Returns the number of jobs. */
export function takeOver(database: Database): Promise<number> {
  return database.asSystem('sweep', async (tx) => {
    await tx.execute(sql`
      update workers w set missing_since = clock_timestamp() where missing_since is null and not exists (
        select from pg_locks l where l.locktype = 'advisory' and l.classid = ${WORKER_LOCK_CLASS} and l.objid = w.number and l.granted
          and l.database = (select oid from pg_database where datname = current_database()))`)
    await tx.execute(sql`
      update workers w set missing_since = null where missing_since is not null and exists (
        select from pg_locks l where l.locktype = 'advisory' and l.classid = ${WORKER_LOCK_CLASS} and l.objid = w.number and l.granted
          and l.database = (select oid from pg_database where datname = current_database()))`)
    const { rows } = await tx.execute<{ count: number }>(sql`
      with dead as (
        select number from workers where missing_since < clock_timestamp() - make_interval(secs => ${MISSING_MS / 1000})
      ), lost as (
        select workspace_id, id, leased_by from jobs where state = 'running' and (leased_by in (select number from dead) or leased_until < now())
        for update skip locked
      ), freed as (
        update jobs j set state = 'queued', leased_by = null, leased_until = null, worker_losses = j.worker_losses + 1,
          attempts_used = greatest(j.attempts_used - 1, 0)
        from lost l where j.workspace_id = l.workspace_id and j.id = l.id and j.state = 'running'
        returning j.workspace_id, j.id, j.attempt, j.generation, j.stage, j.attempt_started_at, l.leased_by
      ), history as (
        insert into attempts (workspace_id, job_id, number, generation, worker, stage, started_at, outcome)
        select workspace_id, id, attempt, generation, leased_by, stage, attempt_started_at, 'lost' from freed on conflict do nothing
      ), buried as (
        delete from workers where number in (select number from dead) and number not in (select leased_by from jobs where state = 'running' and leased_by is not null)
      )
      select count(*)::integer as count from freed`)
    const count = rows[0]!.count
    if (count > 0) await tx.execute(sql`select pg_notify('sheaf_work', '')`)
    return count
  })
}

/** retry_wait → queued for what is due. Returns how many. */
export function enqueueDue(database: Database): Promise<number> {
  return database.asSystem('sweep', async (tx) => {
    const { rowCount } = await tx.execute(sql`
      with due as (select workspace_id, id from jobs where state = 'retry_wait' and next_attempt_at <= now() limit 1000 for update skip locked)
      update jobs j set state = 'queued', next_attempt_at = null, queued_at = now()
      from due d where j.workspace_id = d.workspace_id and j.id = d.id and j.state = 'retry_wait'`)
    if (rowCount) await tx.execute(sql`select pg_notify('sheaf_work', '')`)
    return rowCount ?? 0
  })
}

/** Low never starves: the longest waiting documents of each lower priority move to the front now and then. */
export function feedStarving(database: Database): Promise<void> {
  return database.asSystem('sweep', async (tx) => {
    for (const priority of [0, 1, 2]) {
      await tx.execute(sql`
        with starving as (
          select workspace_id, id from (select workspace_id, id, queued_at from jobs where state = 'queued' and not held and priority = ${priority}
            order by priority desc, vt, id limit ${STARVING_AT_ONCE}) front
          where queued_at < now() - make_interval(secs => ${STARVING_SECONDS})
            and exists (select from jobs where state = 'queued' and not held and priority > ${priority}))
        update jobs j set priority = 3, vt = 0 from starving s
        where j.workspace_id = s.workspace_id and j.id = s.id and j.state = 'queued'`)
    }
  })
}

/** Settles batches whose last worker died between its commit and its look. */
export async function settleForgotten(database: Database): Promise<void> {
  const forgotten = await database.asSystem('settle', async (tx) => {
    const { rows } = await tx.execute<{ workspace_id: string; id: string }>(sql`
      select workspace_id, id from batches b where (status in ('queued', 'processing', 'cancelling') or (status in ('open', 'paused') and intake = 'closed')) and deleted_at is null
        and not ${unfinishedDocuments} limit 100`)
    return rows
  })
  for (const batch of forgotten) await settleBatch(database, batch.workspace_id, batch.id)
}

const FOLD_LOCK = 0x5eaf_f0

/** Folds deltas into tallies: their sum never changes, so readers see the same figures before and after. */
export function foldDeltas(database: Database): Promise<number> {
  return database.asSystem('fold', async (tx) => {
    const lock = await tx.execute<{ locked: boolean }>(sql`select pg_try_advisory_xact_lock(${FOLD_LOCK}) as locked`)
    if (!lock.rows[0]!.locked) return 0
    const { rows } = await tx.execute<{ count: number }>(sql`
      with gone as (
        delete from batch_deltas where (workspace_id, id) in (select workspace_id, id from batch_deltas limit 20000) returning *
      ), folded as (
        insert into batch_tallies (workspace_id, batch_id, run_number, state, code, category, message, documents, files, max_retries, first_started_at, last_ended_at)
        select workspace_id, batch_id, run_number, state, code, max(category), max(message), sum(documents), sum(files), max(max_retries), min(first_started_at), max(last_ended_at)
        from gone group by workspace_id, batch_id, run_number, state, code
        on conflict (workspace_id, batch_id, run_number, state, code) do update set
          documents = batch_tallies.documents + excluded.documents, files = batch_tallies.files + excluded.files,
          message = coalesce(excluded.message, batch_tallies.message), category = greatest(batch_tallies.category, excluded.category),
          max_retries = greatest(batch_tallies.max_retries, excluded.max_retries),
          first_started_at = least(batch_tallies.first_started_at, excluded.first_started_at),
          last_ended_at = greatest(batch_tallies.last_ended_at, excluded.last_ended_at)
      )
      select count(*)::integer as count from gone`)
    return rows[0]!.count
  })
}
