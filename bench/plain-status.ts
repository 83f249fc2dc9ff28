import { sql, type SQL } from '../src/database/index.ts'

/**
 * The 19 columns by counting the rows of the batch's run, with none of the counters that the view reads: what the view
 * has to be equal to.
 */
export function plainStatus(batchId: string): SQL {
  return sql`
    with run_jobs as (
      select j.* from jobs j join batches b on b.workspace_id = j.workspace_id and b.id = j.batch_id and b.run_number = j.run_number
      where b.id = ${batchId} and j.kind = 'document'
    ), counted as (
      select count(*) as total, count(*) filter (where not is_member) as files,
        count(*) filter (where state in ('succeeded', 'partial')) as good,
        count(*) filter (where state in ('failed', 'needs_input')) as bad,
        count(*) filter (where state = 'running') as running,
        count(*) filter (where state in ('received', 'queued', 'retry_wait')) as waiting,
        count(*) filter (where state = 'failed') as failed,
        count(*) filter (where state = 'skipped') as skipped,
        greatest(max(attempts_used) - 1, 0)::integer as max_retries,
        max(ended_at) filter (where state in ('failed', 'needs_input')) as latest_error_at,
        min(started_at) as first_started_at, max(ended_at) as last_ended_at
      from run_jobs
    ), errors as (
      select error_category as category, error_code as code, max(error ->> 'message') as message, count(*) as count,
        (array_agg(document_id order by document_id))[1] as sample
      from run_jobs where state in ('failed', 'needs_input') group by 1, 2
    ), top as (
      select * from errors order by count desc, code collate "C" limit 10
    ), messages as (
      select message, sum(count) as count from errors group by message order by sum(count) desc, message collate "C" limit 10
    )
    select b.id as batch_id, b.created_at as batch_created_at,
      case coalesce(b.ended_as, b.status) when 'open' then 'queued' when 'queued' then 'queued' when 'completed' then 'completed'
        when 'partial' then 'completed' when 'failed' then 'error' when 'cancelled' then 'error' else 'processing' end as batch_status,
      files as total_files, total as total_documents, good as completed_count, bad as failed_count, running as in_progress_count,
      waiting as queued_count, failed as permanent_failures, max_retries,
      coalesce((select string_agg(message, '; ' order by count desc, message collate "C") from messages), '') as error_messages,
      latest_error_at, first_started_at as batch_started_at,
      case when waiting + running = 0 then last_ended_at end as batch_completed_at,
      round((extract(epoch from (case when waiting + running = 0 then last_ended_at else now() end) - first_started_at) / 3600)::numeric, 4) as processing_hours,
      round(100.0 * bad / total, 2) as error_rate_percentage,
      case when waiting + running > 0 then case when first_started_at is null then 'queued' else 'processing' end
        when good > 0 or skipped = total then 'completed' else 'error' end as computed_status,
      coalesce((select jsonb_agg(jsonb_build_object('category', category, 'code', code, 'message', message, 'count', count,
        'sample_document_id', sample) order by count desc, code collate "C") from top), '[]'::jsonb) as top_error_types
    from batches b cross join counted where b.id = ${batchId}`
}
