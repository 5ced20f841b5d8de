-- The audit trail: one record per settling tx, numbered without a gap and chained by hash, and its copies in stores that
-- outlive us. A row of audit_record is written in the DB transaction that makes its payments final.

-- Numbers of one vault's records. `sequence`: the last that was given out, under the chain view's lock. Records are
-- built strictly in that order, since each holds the hash of the one before: `built_sequence` and `head` are the last.
create table audit_head (
  chain_id bigint not null,
  vault address not null,
  sequence bigint not null default 0,
  built_sequence bigint not null default 0,
  head hash32 not null default decode(repeat('00', 32), 'hex'),
  primary key (chain_id, vault),
  check (built_sequence between 0 and sequence)
);

-- Settled payments of an app in a vault's records: 1, 2, 3, … without a gap.
create table audit_app_head (
  chain_id bigint not null,
  vault address not null,
  app_id text not null,
  sequence bigint not null,
  primary key (chain_id, vault, app_id)
);

-- What an app is called in public: keccak256(salt ‖ app id). One salt for ever, so that an app's records stay together.
create table audit_app (
  app_id text primary key,
  salt bytea not null check (octet_length(salt) = 16),
  tag hash32 not null unique
);

create table audit_record (
  -- That of its batch, so that either finds the other; a fresh one for a tx that was not ours.
  id uuid primary key,
  chain_id bigint not null,
  vault address not null,
  sequence bigint not null check (sequence > 0),
  batch_id uuid,
  tx_hash hash32 not null,
  block_number bigint not null,
  block_hash hash32 not null,
  -- {"<app id>": {"first": 5, "count": 2}}: its settled payments have these numbers, in the record's order.
  app_sequences jsonb not null,
  -- Null until it is built. Never changed after that.
  bytes bytea,
  sha256 hash32,
  cid text,
  created_at timestamptz not null default now(),
  built_at timestamptz,
  check (batch_id is null or batch_id = id),
  check ((bytes is null) = (sha256 is null) and (bytes is null) = (cid is null) and (bytes is null) = (built_at is null))
) partition by range (id);

-- A number is given out once, and a tx has one record.
create table audit_sequence (
  chain_id bigint not null,
  vault address not null,
  sequence bigint not null,
  record_id uuid not null,
  primary key (chain_id, vault, sequence)
) partition by hash (chain_id, vault, sequence);

create table audit_tx (
  chain_id bigint not null,
  vault address not null,
  tx_hash hash32 not null,
  record_id uuid not null,
  primary key (chain_id, vault, tx_hash)
) partition by hash (chain_id, vault, tx_hash);

-- One obligation per record and store, open until the store gave the bytes back. Narrow; the bytes are in audit_record.
create table archive_copy (
  record_id uuid not null,
  store text not null check (store in ('ipfs', 'arweave')),
  chain_id bigint not null,
  vault address not null,
  sequence bigint not null,
  state text not null default 'waiting' check (state in ('waiting', 'sealed', 'posted', 'archived')),
  -- What the store will call it, known before it is sent; with what goes with the bytes, so that nothing is paid twice.
  item_id text,
  envelope text,
  -- In a row. Its first is told, and its last reason kept.
  failures integer not null default 0,
  last_error text,
  next_attempt_at timestamptz not null default now(),
  -- Raised by each claim; a write under an older one does nothing.
  fence bigint not null default 0,
  leased_until timestamptz,
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (record_id, store),
  check ((state = 'waiting') = (item_id is null)),
  check ((state = 'archived') = (archived_at is not null))
) partition by hash (record_id);
create index archive_copy_open on archive_copy (chain_id, vault, store, next_attempt_at) where state <> 'archived';

do $$
declare parent text;
begin
  foreach parent in array array['audit_sequence', 'audit_tx', 'archive_copy'] loop
    for remainder in 0..7 loop
      execute format('create table %I partition of %I for values with (modulus 8, remainder %s)', parent || '_' || remainder, parent, remainder);
    end loop;
  end loop;
end $$;

-- A record is changed once, from not built to built.
create function refuse_rebuild() returns trigger language plpgsql as
$$ begin raise exception 'audit record % of chain % is built and never changed', old.sequence, old.chain_id; end $$;
create trigger audit_record_is_final before update on audit_record
  for each row when (old.bytes is not null) execute function refuse_rebuild();
create trigger audit_record_is_kept before delete on audit_record
  for each row execute function refuse_change();

-- The audit head that a batch's anchor commits to; null for batches that were made before there was one.
alter table batch add column anchor_sequence bigint, add column anchor_head hash32,
  add check ((anchor_sequence is null) = (anchor_head is null));

select ensure_day_partitions(3);
-- A record has the id of its batch: the days of all batches that may still become final.
select ensure_day_partition(to_date(right(c.relname, 8), 'YYYYMMDD'))
from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'batch'::regclass;
