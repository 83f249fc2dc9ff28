import { sql, type SQL } from '../drizzle.ts'

/**
 * The counters of any run, by the formula of the view batch_counts (which only knows the present run): folded tallies
 * plus deltas not yet folded. For use as a lateral subquery where `r` is a row of `runs`.
 */
export const RUN_COUNTS: SQL = sql`
  select coalesce(sum(documents), 0)::integer as total,
    coalesce(sum(documents) filter (where state = 'received'), 0)::integer as received,
    coalesce(sum(documents) filter (where state = 'queued'), 0)::integer as queued,
    coalesce(sum(documents) filter (where state = 'running'), 0)::integer as running,
    coalesce(sum(documents) filter (where state = 'retry_wait'), 0)::integer as "retryWait",
    coalesce(sum(documents) filter (where state = 'needs_input'), 0)::integer as "needsInput",
    coalesce(sum(documents) filter (where state = 'succeeded'), 0)::integer as succeeded,
    coalesce(sum(documents) filter (where state = 'partial'), 0)::integer as partial,
    coalesce(sum(documents) filter (where state = 'failed'), 0)::integer as failed,
    coalesce(sum(documents) filter (where state = 'skipped'), 0)::integer as skipped,
    coalesce(sum(documents) filter (where state = 'cancelled'), 0)::integer as cancelled
  from (
    select state, documents from batch_tallies t
    where t.workspace_id = r.workspace_id and t.batch_id = r.batch_id and t.run_number = r.number
    union all
    select state, documents from batch_deltas d
    where d.workspace_id = r.workspace_id and d.batch_id = r.batch_id and d.run_number = r.number
  ) folded_and_not_yet_folded`
