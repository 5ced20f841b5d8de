-- Every change of a payment's state, as everybody sees it, written by the database itself in the DB transaction of the
-- change: whatever statement moves a payment or a batch, its event is there or the change is not.

-- The payee's app: it proved with the payee's signature that the payee is its own, and is told of payments to it.
create table payee_owner (
  chain_id bigint not null,
  payee address not null,
  app_id text not null,
  -- Unix seconds, signed: only a later proof replaces an earlier one, so an old signature cannot be played again.
  issued_at bigint not null,
  signature bytea not null check (octet_length(signature) = 64),
  created_at timestamptz not null default now(),
  primary key (chain_id, payee)
);
create index payee_owner_by_app on payee_owner (app_id);

create table intent_event (
  intent_id uuid not null,
  -- 1, 2, 3, … per payment, without a gap.
  sequence integer not null check (sequence > 0),
  -- The app that submitted it, and the payee's app at that moment.
  app_id text not null,
  payee_app_id text,
  chain_id bigint not null,
  state text not null,
  reason text,
  batch_id uuid,
  tx_hash hash32,
  block_number bigint,
  block_hash hash32,
  at timestamptz not null default now(),
  -- Readers that follow the table see rows in the order (xid, intent_id, sequence) and stop below the oldest DB
  -- transaction that is still open: ids and times are not in commit order.
  xid xid8 not null default pg_current_xact_id(),
  primary key (intent_id, sequence)
) partition by range (intent_id);
create index intent_event_by_app on intent_event (app_id, xid, intent_id, sequence);
create index intent_event_by_payee_app on intent_event (payee_app_id, xid, intent_id, sequence) where payee_app_id is not null;
create trigger intent_event_is_append_only before update or delete on intent_event
  for each row execute function refuse_change();

create or replace function refuse_change() returns trigger language plpgsql as
$$ begin raise exception '% rows are never changed: write a further one', tg_table_name; end $$;

-- The same table as wireState in core/intent.ts; a test compares the two over all combinations.
create function wire_state(own text, outside_block bigint, batch_state text, is_paid boolean) returns text
  language sql immutable parallel safe
  return case
    when outside_block is not null and own not in ('finalized', 'rejected', 'failed', 'expired', 'cancelled') then 'included'
    when own <> 'batched' or batch_state is null then own
    when batch_state in ('reverted', 'dissolved') then 'submitted'
    when batch_state in ('included', 'finalized') then case when is_paid then batch_state else 'submitted' end
    else batch_state
  end;

-- Results are bits of an event that may be shorter than the batch, or absent.
create function is_paid(results bytea, index integer) returns boolean
  language sql immutable parallel safe
  return case when results is not null and index < octet_length(results) * 8 then get_bit(results, index) = 1 else false end;

create function record_new_intents() returns trigger language plpgsql as $$
begin
  insert into intent_event (intent_id, sequence, app_id, payee_app_id, chain_id, state, reason)
  select n.id, 1, n.app_id, o.app_id, n.chain_id, n.state, n.reason
  from new_intents n left join payee_owner o on o.chain_id = n.chain_id and o.payee = n.payee;
  return null;
end $$;
create trigger intent_is_new after insert on intent
  referencing new table as new_intents for each statement execute function record_new_intents();

-- Ids are written into the statement, so that Postgres opens the days of these payments and batches and no other.
create function record_intent_changes() returns trigger language plpgsql as $$
declare
  low uuid; high uuid; batches uuid[];
begin
  select (array_agg(n.id order by n.id))[1], (array_agg(n.id order by n.id desc))[1],
    array_agg(distinct n.batch_id) filter (where n.batch_id is not null) || array_agg(distinct o.batch_id) filter (where o.batch_id is not null)
  into low, high, batches
  from new_intents n join old_intents o using (id)
  where (n.state, n.batch_id, n.outside_block) is distinct from (o.state, o.batch_id, o.outside_block);
  if low is null then return null; end if;

  execute format($sql$
    insert into intent_event (intent_id, sequence, app_id, payee_app_id, chain_id, state, reason, batch_id, tx_hash, block_number, block_hash)
    select c.id,
      1 + coalesce((select max(e.sequence) from intent_event e where e.intent_id = c.id and e.intent_id between %1$L and %2$L), 0),
      c.app_id, p.app_id, c.chain_id, c.after, c.reason, c.batch_id, c.tx_hash, c.block_number, c.block_hash
    from (
      select n.*,
        wire_state(o.state, o.outside_block, ob.state, is_paid(ob.results, o.batch_index)) as before,
        wire_state(n.state, n.outside_block, nb.state, is_paid(nb.results, n.batch_index)) as after,
        coalesce(n.outside_tx, nb.tx_hash) as tx_hash, coalesce(n.outside_block, nb.block_number) as block_number,
        case when n.outside_block is null then nb.block_hash end as block_hash
      from new_intents n join old_intents o using (id)
        left join batch ob on ob.id = o.batch_id and ob.id = any(%3$L::uuid[])
        left join batch nb on nb.id = n.batch_id and nb.id = any(%3$L::uuid[])
    ) as c left join payee_owner p on p.chain_id = c.chain_id and p.payee = c.payee
    where c.before <> c.after
  $sql$, low, high, coalesce(batches, array['00000000-0000-0000-0000-000000000000'::uuid])); -- an empty set would open every day
  return null;
end $$;
create trigger intent_is_changed after update on intent
  referencing old table as old_intents new table as new_intents
  for each statement execute function record_intent_changes();

create function record_batch_changes() returns trigger language plpgsql as $$
declare
  low uuid; high uuid; ids uuid[];
begin
  select (array_agg(n.intent_low order by n.intent_low))[1], (array_agg(n.intent_high order by n.intent_high desc))[1], array_agg(n.id)
  into low, high, ids
  from new_batches n join old_batches o using (id) where n.state <> o.state;
  if low is null then return null; end if;

  execute format($sql$
    insert into intent_event (intent_id, sequence, app_id, payee_app_id, chain_id, state, reason, batch_id, tx_hash, block_number, block_hash)
    select c.id,
      1 + coalesce((select max(e.sequence) from intent_event e where e.intent_id = c.id and e.intent_id between %1$L and %2$L), 0),
      c.app_id, p.app_id, c.chain_id, c.after, c.reason, c.batch_id, c.tx_hash, c.block_number, c.block_hash
    from (
      select i.*, n.tx_hash, n.block_number, n.block_hash,
        wire_state(i.state, i.outside_block, o.state, is_paid(o.results, i.batch_index)) as before,
        wire_state(i.state, i.outside_block, n.state, is_paid(n.results, i.batch_index)) as after
      from new_batches n join old_batches o using (id)
        join intent i on i.batch_id = n.id and i.state = 'batched' and i.id between %1$L and %2$L and i.batch_id = any(%3$L::uuid[])
    ) as c left join payee_owner p on p.chain_id = c.chain_id and p.payee = c.payee
    where c.before <> c.after
  $sql$, low, high, ids);
  return null;
end $$;
create trigger batch_is_changed after update on batch
  referencing old table as old_batches new table as new_batches
  for each statement execute function record_batch_changes();

-- The day's partition of every table that grows with payments: all that are partitioned by a range of ids.
create or replace function ensure_day_partition(day date) returns void language plpgsql as $$
declare
  parent text;
  lower_id uuid := (lpad(to_hex((extract(epoch from day) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
  upper_id uuid := (lpad(to_hex((extract(epoch from day + 1) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_day_partition'));
  for parent in
    select c.relname from pg_partitioned_table p join pg_class c on c.oid = p.partrelid
    where p.partstrat = 'r' and c.relnamespace = current_schema()::regnamespace
  loop
    if to_regclass(parent || '_' || to_char(day, 'YYYYMMDD')) is null then
      execute format('create table %I partition of %I for values from (%L) to (%L)', parent || '_' || to_char(day, 'YYYYMMDD'), parent, lower_id, upper_id);
    end if;
  end loop;
end $$;

select ensure_day_partitions(3);
