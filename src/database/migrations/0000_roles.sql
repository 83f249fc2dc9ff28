-- Roles are shared by all databases of a server, so this may run at the same time elsewhere. Runs as the administrator
-- before the migrations; harmless when repeated.
do $$
declare r text;
begin
  foreach r in array array['sheaf_owner', 'sheaf_user', 'sheaf_system', 'sheaf_auth'] loop
    begin
      if not exists (select from pg_roles where rolname = r) then
        execute format('create role %I nologin noinherit nosuperuser nobypassrls', r);
      end if;
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
  begin
    if not exists (select from pg_roles where rolname = 'sheaf_login') then
      create role sheaf_login login noinherit nosuperuser nobypassrls;
    end if;
  exception when duplicate_object or unique_violation then null;
  end;
  if not pg_has_role('sheaf_login', 'sheaf_user', 'member') or not pg_has_role('sheaf_login', 'sheaf_system', 'member') or not pg_has_role('sheaf_login', 'sheaf_auth', 'member') then
    begin
      grant sheaf_user, sheaf_system, sheaf_auth to sheaf_login;
    exception when unique_violation then null;
    end;
  end if;
  if not pg_has_role(current_user, 'sheaf_owner', 'member') then
    execute format('grant sheaf_owner, sheaf_login to %I', current_user);
  end if;
  execute format('grant create, connect, temporary on database %I to sheaf_owner', current_database());
  execute format('grant connect on database %I to sheaf_login', current_database());
  execute format('alter database %I set search_path = sheaf, public', current_database());
end $$;
create schema if not exists sheaf authorization sheaf_owner;
revoke all on schema sheaf from public;
grant usage on schema sheaf to sheaf_user, sheaf_system;
set search_path = sheaf, pg_temp;
set role sheaf_owner;
create table if not exists schema_migrations (
  version integer primary key,
  name text not null,
  sha256 text not null,
  applied_at timestamptz not null default now()
);
alter table schema_migrations enable row level security;
alter table schema_migrations force row level security;
do $$
begin
  if not exists (select from pg_policies where schemaname = 'sheaf' and tablename = 'schema_migrations') then
    create policy of_owner on schema_migrations to sheaf_owner using (true) with check (true);
    create policy of_system on schema_migrations for select to sheaf_system using (true);
    grant select on schema_migrations to sheaf_system;
  end if;
end $$;
reset role;
