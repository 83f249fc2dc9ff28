-- The foundation: workspaces, batches, documents, the queue and its counters.
-- Runs as sheaf_owner inside one transaction. Every tenant row carries workspace_id, every index and unique key of a
-- tenant table that people reach begins with it, and row-level security is forced on every table.

create function app_workspace() returns uuid language sql stable
  as $$ select nullif(current_setting('app.workspace_id', true), '')::uuid $$;

create table workspaces (
  id uuid primary key,
  name text not null,
  created_at timestamptz not null default now()
);

create table api_keys (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  id uuid not null,
  name text not null,
  hash bytea not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (workspace_id, id)
);
create index api_keys_by_hash on api_keys (hash);

create table batches (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  id uuid not null,
  name text not null,
  description text,
  intake text not null default 'open' check (intake in ('open', 'closed')),
  status text not null default 'open' check (status in ('open', 'queued', 'processing', 'paused', 'cancelling',
    'finalizing', 'completed', 'partial', 'failed', 'cancelled', 'expired')),
  -- the end the batch came to; kept when it expires
  ended_as text check (ended_as in ('completed', 'partial', 'failed', 'cancelled')),
  start_policy text not null default 'on_arrival' check (start_policy in ('on_arrival', 'on_close')),
  priority smallint not null default 1 check (priority between 0 and 3),
  run_number integer not null default 1,
  version bigint not null default 1,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  opened_at timestamptz default now(),
  queued_at timestamptz,
  started_at timestamptz,
  paused_at timestamptz,
  cancelling_at timestamptz,
  closed_at timestamptz,
  finalizing_at timestamptz,
  ended_at timestamptz,
  expires_at timestamptz,
  deleted_at timestamptz,
  primary key (workspace_id, id),
  -- a batch never reaches an end while it is open
  constraint ends_only_when_closed check (intake = 'closed' or status in ('open', 'queued', 'processing', 'paused'))
);
create index batches_by_creation on batches (workspace_id, created_at desc, id desc) where deleted_at is null;
create index batches_by_name on batches (workspace_id, name) where deleted_at is null;
create index batches_active on batches (status) where status in ('queued', 'processing', 'cancelling', 'finalizing');

create table runs (
  workspace_id uuid not null,
  batch_id uuid not null,
  number integer not null,
  pipeline jsonb not null,
  -- passwords of the pipeline: never part of an answer
  passwords text[] not null default '{}',
  summary jsonb,
  revision integer not null default 0,
  status text,
  created_by uuid,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (workspace_id, batch_id, number),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade
);

create table blobs (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  key text not null,
  sha256 text not null,
  bytes bigint not null,
  created_at timestamptz not null default now(),
  primary key (workspace_id, key)
);

create table documents (
  workspace_id uuid not null,
  id uuid not null,
  batch_id uuid not null,
  -- place in the input: {3} is the third file, {3,2} the second member of the archive that was the third file
  position integer[] not null,
  path text not null,
  sha256 text,
  bytes bigint not null default 0,
  media_type text,
  parent_id uuid,
  duplicate_of uuid,
  client_key text,
  created_by uuid,
  created_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade
);
create unique index documents_by_position on documents (workspace_id, batch_id, position);
create unique index documents_by_client_key on documents (workspace_id, batch_id, client_key) where client_key is not null;
create index documents_by_content on documents (workspace_id, sha256, batch_id);
create index documents_by_path on documents (workspace_id, batch_id, path);

-- One leasable piece of work. A row of kind 'document' is one document in one run and holds its state; the other
-- kinds (finalize, export, delete) share the same lease. Document rows are the truth the counters are derived from.
create table jobs (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  id bigint generated always as identity,
  kind text not null,
  batch_id uuid,
  run_number integer,
  document_id uuid,
  is_member boolean not null default false,
  state text not null default 'queued' check (state in ('received', 'queued', 'running', 'retry_wait', 'needs_input',
    'succeeded', 'partial', 'failed', 'skipped', 'cancelled')),
  stage text,
  priority smallint not null default 1,
  vt double precision not null default 0,
  held boolean not null default false,
  generation integer not null default 1,
  attempt integer not null default 0,
  attempts_used smallint not null default 0 check (attempts_used between 0 and 4),
  worker_losses integer not null default 0,
  child_deaths smallint not null default 0 check (child_deaths between 0 and 2),
  limit_factor real not null default 1,
  leased_by integer,
  leased_until timestamptz,
  next_attempt_at timestamptz,
  waiting_for text,
  quarantined boolean not null default false,
  error jsonb,
  error_code text,
  error_category text,
  pages integer,
  words integer,
  failed_pages integer not null default 0,
  issue_count integer not null default 0,
  language text,
  parse_ms real,
  review text not null default 'none' check (review in ('none', 'needed', 'confirmed', 'corrected', 'rejected')),
  secret text,
  data jsonb,
  queued_at timestamptz not null default now(),
  started_at timestamptz,
  attempt_started_at timestamptz,
  ended_at timestamptz,
  primary key (workspace_id, id) with (fillfactor = 40),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade,
  constraint a_document_job_names_its_document check (kind <> 'document' or (batch_id is not null and run_number is not null and document_id is not null)),
  constraint succeeded_means_every_page check (state <> 'succeeded' or failed_pages = 0),
  constraint failed_has_an_error check (kind <> 'document' or state not in ('failed', 'needs_input') or (error_code is not null and error_category is not null)),
  constraint running_is_leased check ((state = 'running') = (leased_by is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
-- Taking a job and ending it writes an entry into every index whose condition then holds, and that is half of what the
-- queue costs: no index may hold both waiting and running jobs, and those that hold all jobs keep room for the two
-- entries that follow the first.
create unique index jobs_by_document on jobs (workspace_id, document_id, run_number) with (fillfactor = 40) where kind = 'document';
create index jobs_by_batch on jobs (workspace_id, batch_id, run_number, document_id) with (fillfactor = 40);
create index jobs_claimable on jobs (priority desc, vt, id) where state = 'queued' and not held;
create index jobs_backlog on jobs (workspace_id, batch_id, run_number, vt) where state = 'queued';
create index jobs_running on jobs (workspace_id, batch_id, run_number) where state = 'running';
create index jobs_not_queued on jobs (workspace_id, batch_id, run_number) where state in ('received', 'retry_wait');
create index jobs_due on jobs (next_attempt_at) where state = 'retry_wait';
create index jobs_with_error on jobs (workspace_id, batch_id, run_number, error_code, document_id) where state in ('failed', 'needs_input');
create index jobs_last_error on jobs (workspace_id, batch_id, run_number, ended_at) where state in ('failed', 'needs_input');

-- Attempts that came before the present one of a job (the present one stands in the job itself).
create table attempts (
  workspace_id uuid not null,
  job_id bigint not null,
  number integer not null,
  generation integer not null,
  worker integer,
  stage text,
  started_at timestamptz,
  ended_at timestamptz not null default now(),
  outcome text not null,
  error jsonb,
  primary key (workspace_id, job_id, number),
  foreign key (workspace_id, job_id) references jobs (workspace_id, id) on delete cascade
);

-- What a stage yielded for a document. Written once per generation, whatever happens twice.
create table results (
  workspace_id uuid not null,
  batch_id uuid not null,
  run_number integer not null,
  document_id uuid not null,
  stage text not null,
  generation integer not null,
  blob_key text,
  blob_sha256 text,
  data jsonb not null default '{}',
  created_at timestamptz not null default now(),
  primary key (workspace_id, run_number, document_id, stage, generation),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade,
  foreign key (workspace_id, document_id) references documents (workspace_id, id) on delete cascade
);
create index results_by_batch on results (workspace_id, batch_id);
create index results_by_blob on results (workspace_id, blob_key);

-- Counters. A trigger appends what each statement changed; a worker folds deltas into tallies. Their sum is exact in
-- every snapshot, because a delta commits with the rows it speaks of.
create table batch_tallies (
  workspace_id uuid not null,
  batch_id uuid not null,
  run_number integer not null,
  state text not null,
  code text not null,
  category text not null,
  message text,
  documents bigint not null,
  files bigint not null,
  max_retries integer not null,
  first_started_at timestamptz,
  last_ended_at timestamptz,
  primary key (workspace_id, batch_id, run_number, state, code),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade
);

create table batch_deltas (
  workspace_id uuid not null,
  batch_id uuid not null,
  run_number integer not null,
  state text not null,
  code text not null,
  category text not null,
  message text,
  documents bigint not null,
  files bigint not null,
  max_retries integer not null,
  first_started_at timestamptz,
  last_ended_at timestamptz,
  id bigint generated always as identity,
  primary key (workspace_id, id),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index batch_deltas_by_batch on batch_deltas (workspace_id, batch_id, run_number);

create function count_new_jobs() returns trigger language plpgsql set search_path = sheaf, pg_temp as $$
begin
  insert into batch_deltas (workspace_id, batch_id, run_number, state, code, category, message, documents, files, max_retries, first_started_at, last_ended_at)
  select workspace_id, batch_id, run_number, state, coalesce(error_code, ''), coalesce(max(error_category), ''), max(error ->> 'message'),
    count(*), count(*) filter (where not is_member), 0, min(started_at), max(ended_at)
  from new_jobs where kind = 'document'
  group by workspace_id, batch_id, run_number, state, coalesce(error_code, '');
  return null;
end $$;

create function count_changed_jobs() returns trigger language plpgsql set search_path = sheaf, pg_temp as $$
begin
  insert into batch_deltas (workspace_id, batch_id, run_number, state, code, category, message, documents, files, max_retries, first_started_at, last_ended_at)
  select workspace_id, batch_id, run_number, state, code, max(category), max(message), sum(n), coalesce(sum(n) filter (where not is_member), 0), max(retries), min(started_at), max(ended_at)
  from (
    select workspace_id, batch_id, run_number, state, coalesce(error_code, '') as code, coalesce(error_category, '') as category,
      error ->> 'message' as message, 1 as n, is_member, greatest(attempts_used - 1, 0) as retries, started_at, ended_at
    from new_jobs where kind = 'document'
    union all
    select workspace_id, batch_id, run_number, state, coalesce(error_code, ''), coalesce(error_category, ''),
      null, -1, is_member, 0, null, null
    from old_jobs where kind = 'document'
  ) change
  group by workspace_id, batch_id, run_number, state, code
  having sum(n) <> 0;
  return null;
end $$;

create trigger count_new_jobs after insert on jobs referencing new table as new_jobs
  for each statement execute function count_new_jobs();
create trigger count_changed_jobs after update on jobs referencing old table as old_jobs new table as new_jobs
  for each statement execute function count_changed_jobs();

create sequence event_ids;
-- The durable log behind server-sent events. `id` is given by one publisher at a time, so that ids become visible in
-- the order they rise; an event without id is not published yet.
create table events (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  entry bigint generated always as identity,
  id bigint,
  batch_id uuid not null,
  document_id uuid,
  type text not null,
  at timestamptz not null default now(),
  data jsonb not null default '{}',
  primary key (workspace_id, entry)
) with (autovacuum_vacuum_scale_factor = 0.05);
create index events_by_id on events (workspace_id, id) where id is not null;
create index events_by_batch on events (workspace_id, batch_id, id) where id is not null;
create index events_unpublished on events (entry) where id is null;

create table exports (
  workspace_id uuid not null,
  id uuid not null,
  batch_id uuid not null,
  run_number integer not null,
  format text not null,
  state text not null default 'queued' check (state in ('queued', 'running', 'completed', 'failed')),
  blob_key text,
  sha256 text,
  bytes bigint,
  error jsonb,
  created_by uuid,
  created_at timestamptz not null default now(),
  completed_at timestamptz,
  primary key (workspace_id, id),
  foreign key (workspace_id, batch_id) references batches (workspace_id, id) on delete cascade
);
create index exports_by_batch on exports (workspace_id, batch_id, created_at desc);

-- Receipts of deletions; they outlive the batch.
create table deletions (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  batch_id uuid not null,
  batch_name text not null,
  requested_by uuid,
  requested_at timestamptz not null default now(),
  completed_at timestamptz,
  receipt jsonb,
  primary key (workspace_id, batch_id)
);

create table idempotency_keys (
  workspace_id uuid not null references workspaces (id) on delete cascade,
  key text not null,
  request_hash text not null,
  status integer,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (workspace_id, key)
);

-- Virtual time of start-time fair queueing, one clock for each priority: where a batch without a backlog joins.
create table queue_clock (
  priority smallint primary key,
  vt double precision not null default 0
);

-- Worker processes; each holds the advisory lock (5EAF, number) while it lives.
create table workers (
  number integer generated always as identity primary key,
  id uuid not null,
  host text not null,
  pid integer not null,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  missing_since timestamptz
);

-- Views of rows R2 and R4 (surfaces.md) -------------------------------------------------------------------------

-- The one-line error of a batch in the words of rows R2, R4 and R5.
create function batch_error(status text, bad bigint, total bigint) returns text language sql immutable
  as $$ select case when status = 'cancelled' then 'cancelled' when status in ('partial', 'failed') and bad > 0 then bad || ' of ' || total || ' failed' end $$;

create view batch_counts with (security_invoker = true) as
select b.workspace_id, b.id as batch_id, b.run_number, c.*
from batches b cross join lateral (
  select coalesce(sum(documents), 0)::bigint as total,
    coalesce(sum(files), 0)::bigint as files,
    coalesce(sum(documents) filter (where state = 'received'), 0)::bigint as received,
    coalesce(sum(documents) filter (where state = 'queued'), 0)::bigint as queued,
    coalesce(sum(documents) filter (where state = 'running'), 0)::bigint as running,
    coalesce(sum(documents) filter (where state = 'retry_wait'), 0)::bigint as retry_wait,
    coalesce(sum(documents) filter (where state = 'needs_input'), 0)::bigint as needs_input,
    coalesce(sum(documents) filter (where state = 'succeeded'), 0)::bigint as succeeded,
    coalesce(sum(documents) filter (where state = 'partial'), 0)::bigint as partial,
    coalesce(sum(documents) filter (where state = 'failed'), 0)::bigint as failed,
    coalesce(sum(documents) filter (where state = 'skipped'), 0)::bigint as skipped,
    coalesce(sum(documents) filter (where state = 'cancelled'), 0)::bigint as cancelled,
    coalesce(max(max_retries), 0)::integer as max_retries,
    min(first_started_at) as first_started_at,
    max(last_ended_at) as last_ended_at
  from (
    select state, documents, files, max_retries, first_started_at, last_ended_at from batch_tallies t
    where t.workspace_id = b.workspace_id and t.batch_id = b.id and t.run_number = b.run_number
    union all
    select state, documents, files, max_retries, first_started_at, last_ended_at from batch_deltas d
    where d.workspace_id = b.workspace_id and d.batch_id = b.id and d.run_number = b.run_number
  ) folded_and_not_yet_folded
) c
where b.deleted_at is null;

create view batch_error_types with (security_invoker = true) as
select b.workspace_id, b.id as batch_id, e.*
from batches b cross join lateral (
  select category, code, max(message) as message, sum(documents)::bigint as count
  from (
    select category, code, message, documents, state from batch_tallies t
    where t.workspace_id = b.workspace_id and t.batch_id = b.id and t.run_number = b.run_number and t.state in ('failed', 'needs_input')
    union all
    select category, code, message, documents, state from batch_deltas d
    where d.workspace_id = b.workspace_id and d.batch_id = b.id and d.run_number = b.run_number and d.state in ('failed', 'needs_input')
  ) folded_and_not_yet_folded
  group by category, code having sum(documents) > 0
) e
where b.deleted_at is null;

create view batch_processing_status with (security_invoker = true) as
select
  b.id as batch_id,
  b.created_at as batch_created_at,
  case coalesce(b.ended_as, b.status) when 'open' then 'queued' when 'queued' then 'queued' when 'completed' then 'completed' when 'partial' then 'completed'
    when 'failed' then 'error' when 'cancelled' then 'error' else 'processing' end as batch_status,
  c.files as total_files,
  c.total as total_documents,
  c.succeeded + c.partial as completed_count,
  c.failed + c.needs_input as failed_count,
  c.running as in_progress_count,
  c.received + c.queued + c.retry_wait as queued_count,
  -- a document is only `failed` when its error is not retried or no retry is left
  c.failed as permanent_failures,
  c.max_retries as max_retries,
  coalesce(e.error_messages, '') as error_messages,
  (select max(j.ended_at) from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id and j.run_number = b.run_number
    and j.state in ('failed', 'needs_input')) as latest_error_at,
  c.first_started_at as batch_started_at,
  case when c.received + c.queued + c.retry_wait + c.running = 0 then c.last_ended_at end as batch_completed_at,
  round((extract(epoch from (case when c.received + c.queued + c.retry_wait + c.running = 0 then c.last_ended_at else now() end) - c.first_started_at) / 3600)::numeric, 4) as processing_hours,
  case when c.total = 0 then 0::numeric else round(100.0 * (c.failed + c.needs_input) / c.total, 2) end as error_rate_percentage,
  case
    when c.received + c.queued + c.retry_wait + c.running > 0 then case when c.first_started_at is null then 'queued' else 'processing' end
    when c.succeeded + c.partial > 0 or c.skipped = c.total then 'completed'
    else 'error' end as computed_status,
  coalesce(e.top_error_types, '[]'::jsonb) as top_error_types
from batches b
join batch_counts c on c.workspace_id = b.workspace_id and c.batch_id = b.id
cross join lateral (
  select
    (select string_agg(message, '; ' order by count desc, message collate "C") from
      (select coalesce(message, code) as message, sum(count) as count from batch_error_types x where x.workspace_id = b.workspace_id and x.batch_id = b.id
        group by coalesce(message, code) order by sum(count) desc, coalesce(message, code) collate "C" limit 10) m) as error_messages,
    (select jsonb_agg(jsonb_build_object('category', category, 'code', code, 'message', message, 'count', count, 'sample_document_id',
        (select j.document_id from jobs j where j.workspace_id = b.workspace_id and j.batch_id = b.id and j.run_number = b.run_number
          and j.state in ('failed', 'needs_input') and j.error_code = t.code order by j.document_id limit 1)) order by count desc, code collate "C")
      from (select * from batch_error_types x where x.workspace_id = b.workspace_id and x.batch_id = b.id order by count desc, code collate "C" limit 10) t) as top_error_types
) e
where b.deleted_at is null;

create view batch_processes with (security_invoker = true) as
select b.id, b.created_by as user_id, b.name, b.description,
  case when r.pipeline -> 'extract' ->> 'strategy' = 'per_document' then r.pipeline -> 'extract' ->> 'prompts' else r.pipeline -> 'extract' ->> 'prompt' end as extraction_prompt,
  c.total as total_documents,
  c.succeeded + c.partial + c.failed + c.skipped + c.cancelled + c.needs_input as processed_documents,
  case coalesce(b.ended_as, b.status) when 'open' then 'pending' when 'queued' then 'pending' when 'completed' then 'completed' when 'partial' then 'completed'
    when 'failed' then 'failed' when 'cancelled' then 'failed' else 'processing' end as status,
  (select coalesce(array_agg(d.id order by d.position), '{}') from documents d where d.workspace_id = b.workspace_id and d.batch_id = b.id) as document_ids,
  batch_error(coalesce(b.ended_as, b.status), c.failed + c.needs_input, c.total) as error,
  b.created_at, b.updated_at, b.ended_at as completed_at
from batches b
join runs r on r.workspace_id = b.workspace_id and r.batch_id = b.id and r.number = b.run_number
join batch_counts c on c.workspace_id = b.workspace_id and c.batch_id = b.id
where b.deleted_at is null;

create view processing_batches with (security_invoker = true) as
select b.id, b.created_at, b.updated_at,
  case coalesce(b.ended_as, b.status) when 'open' then 'queued' when 'queued' then 'queued' when 'completed' then 'completed' when 'partial' then 'completed'
    when 'failed' then 'error' when 'cancelled' then 'error' else 'processing' end as status,
  c.files as total_files,
  c.succeeded + c.partial + c.failed + c.skipped + c.cancelled + c.needs_input as processed_files,
  batch_error(coalesce(b.ended_as, b.status), c.failed + c.needs_input, c.total) as error_message,
  b.ended_at as completed_at
from batches b
join batch_counts c on c.workspace_id = b.workspace_id and c.batch_id = b.id
where b.deleted_at is null;

-- What a foreign scheduler asks for: how much waits, and how many slots would be busy with it.
create view worker_demand with (security_invoker = true) as
select kind as class, count(*)::bigint as waiting, coalesce(extract(epoch from now() - min(queued_at)), 0)::double precision as oldest_seconds,
  least(count(*), 1000)::bigint as slots_wanted
from jobs where state = 'queued' and not held group by kind;

-- Rights: sheaf_user reaches its own workspace; sheaf_system reaches all rows of the few tables that leases, folds,
-- events and sign-in need, and no text, result, document or blob.

do $$
declare t text;
begin
  insert into queue_clock (priority) values (0), (1), (2), (3);
  foreach t in array array['workspaces', 'api_keys', 'batches', 'runs', 'blobs', 'documents', 'jobs', 'attempts', 'results', 'batch_tallies',
    'batch_deltas', 'events', 'exports', 'deletions', 'idempotency_keys', 'queue_clock', 'workers'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
  end loop;
  foreach t in array array['api_keys', 'batches', 'runs', 'blobs', 'documents', 'jobs', 'attempts', 'results', 'batch_tallies',
    'batch_deltas', 'events', 'exports', 'deletions', 'idempotency_keys'] loop
    execute format('create policy of_workspace on %I to sheaf_user using (workspace_id = (select app_workspace())) with check (workspace_id = (select app_workspace()))', t);
    execute format('grant select, insert, update, delete on %I to sheaf_user', t);
  end loop;
  foreach t in array array['workspaces', 'api_keys', 'batches', 'runs', 'jobs', 'attempts', 'batch_tallies', 'batch_deltas', 'events', 'deletions', 'queue_clock', 'workers'] loop
    execute format('create policy of_system on %I to sheaf_system using (true) with check (true)', t);
  end loop;
end $$;
create policy of_workspace on workspaces to sheaf_user using (id = (select app_workspace())) with check (id = (select app_workspace()));
grant select on workspaces to sheaf_user;
-- the clock tells nobody anything of another workspace but that the queue moves
create policy of_everyone on queue_clock for select to sheaf_user using (true);
grant select on queue_clock to sheaf_user;
grant select, update on queue_clock to sheaf_system;
grant select, insert on workspaces, api_keys to sheaf_system;
grant select on runs, deletions to sheaf_system;
grant select, update on batches to sheaf_system;
grant select, insert, update, delete on jobs, attempts, batch_tallies, batch_deltas, events, workers to sheaf_system;
grant select on batch_counts, batch_error_types, batch_processing_status, batch_processes, processing_batches to sheaf_user;
grant select on worker_demand to sheaf_system;
grant usage on sequence event_ids to sheaf_system;
revoke execute on all functions in schema sheaf from public;
grant execute on function app_workspace(), batch_error(text, bigint, bigint) to sheaf_user, sheaf_system;
