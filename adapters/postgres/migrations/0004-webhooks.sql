-- What apps are told, and the obligations to tell them. No secret is stored: HMAC secrets are derived from the
-- deployment's secret keys, the endpoint's id and its version here.

create table webhook_endpoint (
  id uuid primary key,
  app_id text not null,
  url text not null,
  -- States it is told of; null: all.
  states text[],
  -- Since when those: what was told before says nothing against them.
  states_since timestamptz not null default now(),
  has_hmac boolean not null,
  hmac_version integer not null default 1,
  -- The version before signs too until then.
  former_hmac_until timestamptz,
  -- The request that made the newest version: repeated, it makes none.
  rotation_sha256 hash32,
  disabled_reason text check (disabled_reason in ('app', 'gone', 'failing')),
  disabled_since timestamptz,
  -- Its first failure since its last success.
  failing_since timestamptz,
  -- Its deliveries still name it, so the row stays.
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  check ((disabled_reason is null) = (disabled_since is null))
);
create function date_states() returns trigger language plpgsql as
$$ begin new.states_since := now(); return new; end $$;
create trigger states_are_dated before update of states on webhook_endpoint
  for each row when (old.states is distinct from new.states) execute function date_states();
create index webhook_endpoint_by_app on webhook_endpoint (app_id) where deleted_at is null;
create unique index webhook_endpoint_once on webhook_endpoint (app_id, url) where deleted_at is null;

create table webhook_delivery (
  id uuid primary key,
  -- The first delivery of this event to this endpoint; another one in a replay.
  message_id uuid not null,
  endpoint_id uuid not null,
  app_id text not null,
  -- Both null for a test event.
  intent_id uuid,
  sequence integer,
  type text not null,
  state text not null default 'open' check (state in ('open', 'delivered', 'dead')),
  -- Tries that were begun, and of those the ones that failed since this delivery was made.
  attempts integer not null default 0,
  failures integer not null default 0,
  -- When it is tried next; while one process has it (claimed_at), when its lease ends.
  due_at timestamptz not null default now(),
  claimed_at timestamptz,
  last_status integer,
  last_error text,
  delivered_at timestamptz,
  created_at timestamptz not null default now(),
  check ((intent_id is null) = (sequence is null)),
  check ((state = 'delivered') = (delivered_at is not null)),
  check (state = 'open' or claimed_at is null)
) partition by range (id);
create index webhook_delivery_due on webhook_delivery (endpoint_id, due_at, id) where state = 'open';
-- Lower sequences of the same endpoint and payment go first.
create index webhook_delivery_order on webhook_delivery (endpoint_id, intent_id, sequence) where state = 'open';
create index webhook_delivery_by_app on webhook_delivery (app_id, id);
create index webhook_delivery_by_endpoint on webhook_delivery (endpoint_id, id);
create index webhook_delivery_by_intent on webhook_delivery (intent_id);
create index webhook_delivery_open on webhook_delivery (app_id, id) where state = 'open';
create index webhook_delivery_dead on webhook_delivery (app_id, id) where state = 'dead';

-- UUIDv7 made in the database, for rows that triggers write. @see RFC 9562 §5.7
create function new_id() returns uuid language sql volatile parallel safe as $$
  select encode(
    set_bit(set_bit(
      overlay(uuid_send(gen_random_uuid()) placing substring(int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3) from 1 for 6),
      52, 1), 53, 1), 'hex')::uuid
$$;

-- In the DB transaction of the change itself: the obligation is there, or the change is not. Endpoints that are disabled
-- collect theirs too. Only inserts, and takes no lock that a delivery could hold: telling never delays paying.
create function oblige_deliveries() returns trigger language plpgsql as $$
begin
  insert into webhook_delivery (id, message_id, endpoint_id, app_id, intent_id, sequence, type)
  select o.id, o.id, o.endpoint_id, o.app_id, o.intent_id, o.sequence, o.type
  from (
    select new_id() as id, w.id as endpoint_id, w.app_id, e.intent_id, e.sequence, 'payment.' || e.state as type
    from new_events e
      join webhook_endpoint w on w.app_id = any(array[e.app_id, e.payee_app_id]) and w.deleted_at is null
        and (w.states is null or e.state = any(w.states))
    order by e.intent_id, e.sequence
    offset 0 -- so that an id is made once, not once per use
  ) as o;
  return null;
end $$;
create trigger intent_event_is_new after insert on intent_event
  referencing new table as new_events for each statement execute function oblige_deliveries();

-- A payee that is disowned keeps its row, without an app: proofs that were signed before cannot be played again.
alter table payee_owner alter column app_id drop not null;
drop index payee_owner_by_app;
create index payee_owner_by_app on payee_owner (app_id, chain_id, payee) where app_id is not null;

select ensure_day_partitions(3);
