-- Ids are UUIDv7: they sort by time, so tables that grow with payments are partitioned by their own id and a day is
-- dropped, not deleted. Uniqueness lives in narrow hash-partitioned tables beside them. Addresses are 20 bytes, hashes 32.

create domain address as bytea check (octet_length(value) = 20);
create domain hash32 as bytea check (octet_length(value) = 32);
create domain atomic as numeric(78) check (value >= 0);

create table app (
  id text primary key,
  name text not null,
  secret_sha256 hash32 not null,
  role text not null check (role in ('app', 'operator')),
  created_at timestamptz not null default now()
);

-- One row per vault: what the relayer has seen and what is final. The API reads it to know how firmly it may promise.
create table chain_view (
  chain_id bigint not null,
  vault address not null,
  head_number bigint not null,
  head_hash hash32 not null,
  head_at bigint not null,
  finalized_number bigint not null,
  finalized_hash hash32 not null,
  finalized_at bigint not null,
  is_paused boolean not null,
  observed_at timestamptz not null default now(),
  primary key (chain_id, vault)
);

-- Canonical blocks from the final one to the head: a reorg is found by comparing hashes.
create table block (
  chain_id bigint not null,
  number bigint not null,
  hash hash32 not null,
  parent_hash hash32 not null,
  at bigint not null,
  primary key (chain_id, number)
);

-- The vault's word on a payer at the final block, and what ICE has promised on top. Its row lock serialises all that
-- touches one payer's money.
create table account (
  chain_id bigint not null,
  vault address not null,
  payer address not null,
  token address not null,
  balance atomic not null,
  reserved atomic not null default 0,
  withdraw_amount atomic not null,
  top_nonce bigint not null,
  nonce_window numeric(20) not null,
  relayer_id bigint not null,
  is_rebinding boolean not null,
  as_of_block bigint not null,
  primary key (chain_id, vault, payer, token)
) partition by hash (chain_id, vault, payer);

create table payment_order (
  id uuid primary key,
  app_id text not null,
  chain_id bigint not null,
  payee address not null,
  token address not null,
  amount atomic not null,
  reference text not null,
  salt bytea not null check (octet_length(salt) = 16),
  order_hash hash32 not null,
  order_ref bytea not null check (octet_length(order_ref) = 8),
  expires_at bigint not null,
  created_at timestamptz not null default now()
) partition by range (id);

create table order_ref (
  payee address not null,
  order_ref bytea not null,
  order_id uuid not null,
  primary key (payee, order_ref)
) partition by hash (payee, order_ref);

-- An order has at most one payment that is open or final.
create table order_claim (
  order_id uuid primary key,
  intent_id uuid not null
) partition by hash (order_id);

create table intent (
  id uuid primary key,
  app_id text not null,
  chain_id bigint not null,
  vault address not null,
  token address not null,
  payer address not null,
  payee address not null,
  amount atomic not null,
  nonce bigint not null,
  deadline bigint not null,
  order_ref bytea not null check (octet_length(order_ref) = 8),
  order_id uuid,
  digest hash32 not null,
  signature bytea not null check (octet_length(signature) = 64),
  -- Its own state until it is batched; from then on the batch's, see wireState in core/intent.ts.
  state text not null check (state in ('held', 'accepted', 'rejected', 'batched', 'finalized', 'cancelling', 'cancelled', 'expired', 'failed')),
  -- Why it is held, cancelling or at a bad end.
  reason text,
  guarantee text check (guarantee in ('optimistic', 'collateralised')),
  accepted_at bigint,
  settle_by bigint,
  acknowledgement_id uuid,
  acknowledgement_index integer,
  batch_id uuid,
  batch_index integer,
  -- Times a simulation or a batch refused its record; it waits longer after each.
  refusals integer not null default 0,
  retry_at timestamptz not null default now(),
  -- Settled by somebody else's transaction, not by a batch of ours; cleared when that block is reorged out.
  outside_tx hash32,
  outside_block bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (state <> 'batched' or batch_id is not null),
  check ((acknowledgement_id is null) = (guarantee is null))
) partition by range (id);
-- In the order in which batches take them: longest due first, so that a record that was refused queues behind the others.
-- Not by id alone, or Postgres walks the primary key past all that is settled. What is too late is skipped unread.
create index intent_waiting on intent (chain_id, vault, token, state, retry_at, id, deadline)
  where state in ('accepted', 'cancelling') and outside_block is null;
create index intent_alive on intent (chain_id, vault, deadline) where state in ('accepted', 'held', 'cancelling');
create index intent_outside on intent (chain_id, outside_block) where outside_block is not null;
create index intent_in_batch on intent (batch_id, batch_index) where batch_id is not null;

create table intent_digest (
  digest hash32 primary key,
  intent_id uuid not null,
  app_id text not null
) partition by hash (digest);

-- Nonces of open payments, and those that prepare handed out (intent_id is null until one is used or its time is over).
create table intent_nonce (
  chain_id bigint not null,
  vault address not null,
  payer address not null,
  token address not null,
  nonce bigint not null,
  intent_id uuid,
  expires_at bigint,
  primary key (chain_id, vault, payer, token, nonce)
) partition by hash (chain_id, vault, payer);

-- One signature over a Merkle root per group commit. `nodes`: the whole tree, level by level, leaves first, 32 bytes each,
-- so that a read picks its path and hashes nothing.
create table acknowledgement (
  id uuid primary key,
  chain_id bigint not null,
  root hash32 not null,
  leaf_count integer not null check (leaf_count > 0),
  nodes bytea not null,
  signature bytea not null,
  key_certificate jsonb not null
) partition by range (id);

create table cancellation (
  intent_id uuid primary key,
  signature bytea not null check (octet_length(signature) = 64),
  deadline bigint not null,
  batch_id uuid,
  -- Position among the batch's cancels.
  batch_index integer,
  retry_at timestamptz not null default now(),
  created_at timestamptz not null default now()
) partition by hash (intent_id);
create index cancellation_in_batch on cancellation (batch_id) where batch_id is not null;

create table batch (
  id uuid primary key,
  chain_id bigint not null,
  vault address not null,
  token address not null,
  state text not null check (state in ('batched', 'submitted', 'included', 'reverted', 'finalized', 'dissolved')),
  anchor hash32 not null,
  payment_count integer not null,
  cancel_count integer not null,
  -- Lowest and highest id of its payments and of those that it cancels: what joins to them opens these days only.
  intent_low uuid not null,
  intent_high uuid not null,
  payload bytea not null,
  gas_limit bigint not null,
  -- A lane has bound an account nonce to it that is not lost.
  is_assigned boolean not null default false,
  block_number bigint,
  block_hash hash32,
  tx_hash hash32,
  gas_used bigint,
  results bytea,
  created_at timestamptz not null default now(),
  submitted_at timestamptz,
  included_at timestamptz,
  finalized_at timestamptz,
  check (intent_low <= intent_high)
) partition by range (id);
create index batch_open on batch (chain_id, state, id) where state in ('batched', 'submitted', 'included', 'reverted');

-- Signed broadcasts. A replacement is another attempt with the same account nonce and payload; the newest is driven, all
-- are recognised when mined.
create table attempt (
  id uuid primary key,
  batch_id uuid not null,
  chain_id bigint not null,
  signer address not null,
  account_nonce bigint not null,
  max_fee_per_gas_wei atomic not null,
  max_priority_fee_per_gas_wei atomic not null,
  state text not null check (state in ('prepared', 'signed', 'sent')),
  tx_hash hash32,
  raw_tx bytea,
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  check ((state = 'prepared') = (raw_tx is null)),
  check ((tx_hash is null) = (raw_tx is null))
) partition by range (id);
create index attempt_by_batch on attempt (batch_id);
create index attempt_by_tx on attempt (tx_hash);

-- One account nonce carries one batch, for ever: whatever dies between two writes, a nonce never gets a second payload.
-- `is_lost`: somebody else's transaction used the nonce up, finally; only then may the batch get another.
create table account_nonce (
  chain_id bigint not null,
  signer address not null,
  nonce bigint not null,
  batch_id uuid not null,
  is_lost boolean not null default false,
  primary key (chain_id, signer, nonce)
) partition by hash (chain_id, signer);
create index account_nonce_by_batch on account_nonce (batch_id);

-- One writer per lane. Every write of a lane carries its fence; an older fence writes nothing.
create table lane (
  chain_id bigint not null,
  signer address not null,
  fence bigint not null default 0,
  holder text,
  held_until timestamptz,
  paused_reason text,
  primary key (chain_id, signer)
);

create function amounts_balance(amounts numeric[]) returns boolean
  language sql immutable parallel safe
  return (select coalesce(sum(amount), 0) = 0 from unnest(amounts) as amount);

-- An entry is one row, so it balances or does not exist. Never updated, never deleted.
create table ledger_entry (
  id uuid primary key,
  kind text not null check (kind in ('pending', 'posted', 'voided', 'deposit', 'withdrawal', 'payout')),
  chain_id bigint not null,
  vault address not null,
  token address not null,
  intent_id uuid,
  batch_id uuid,
  block_number bigint,
  tx_hash hash32,
  log_index integer,
  accounts text[] not null,
  amounts numeric(78)[] not null,
  created_at timestamptz not null default now(),
  check (cardinality(accounts) = cardinality(amounts) and cardinality(accounts) >= 2),
  -- A sum skips nulls, so an entry of nulls would balance.
  check (array_position(accounts, null) is null and array_position(amounts, null) is null),
  check (amounts_balance(amounts))
) partition by range (id);
create index ledger_entry_by_intent on ledger_entry (intent_id) where intent_id is not null;

create function refuse_change() returns trigger language plpgsql as
$$ begin raise exception 'ledger entries are never changed: write a correcting entry'; end $$;
create trigger ledger_entry_is_append_only before update or delete on ledger_entry
  for each row execute function refuse_change();

create view ledger_posting as
  select e.id as entry_id, e.kind, e.chain_id, e.vault, e.token, e.intent_id, e.batch_id, p.account, p.amount
  from ledger_entry e, unnest(e.accounts, e.amounts) as p(account, amount);

create table idempotency (
  app_id text not null,
  key text not null,
  request_sha256 hash32 not null,
  -- Null while the first request is worked on; then the answer, word for word.
  status integer,
  body text,
  locked_until timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (app_id, key)
) partition by hash (app_id, key);
create index idempotency_by_age on idempotency (created_at);

create table op_log (
  id uuid primary key,
  app_id text not null,
  action text not null,
  subject text not null,
  note text,
  created_at timestamptz not null default now()
);

do $$
declare parent text;
begin
  foreach parent in array array['account', 'order_ref', 'order_claim', 'intent_digest', 'intent_nonce', 'cancellation', 'account_nonce', 'idempotency'] loop
    for remainder in 0..7 loop
      execute format('create table %I partition of %I for values with (modulus 8, remainder %s)', parent || '_' || remainder, parent, remainder);
    end loop;
  end loop;
end $$;

-- The day's partition of every table that grows with payments. Safe to call at any time, from any process.
create function ensure_day_partition(day date) returns void language plpgsql as $$
declare
  parent text;
  lower_id uuid := (lpad(to_hex((extract(epoch from day) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
  upper_id uuid := (lpad(to_hex((extract(epoch from day + 1) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
begin
  perform pg_advisory_xact_lock(hashtext('ensure_day_partition'));
  foreach parent in array array['payment_order', 'intent', 'acknowledgement', 'batch', 'attempt', 'ledger_entry'] loop
    if to_regclass(parent || '_' || to_char(day, 'YYYYMMDD')) is null then
      execute format('create table %I partition of %I for values from (%L) to (%L)', parent || '_' || to_char(day, 'YYYYMMDD'), parent, lower_id, upper_id);
    end if;
  end loop;
end $$;

-- Yesterday's, today's and those of the days ahead.
create function ensure_day_partitions(days_ahead integer) returns void language sql as $$
  select ensure_day_partition((now() at time zone 'utc')::date + ahead) from generate_series(-1, days_ahead) as ahead
$$;

select ensure_day_partitions(3);
