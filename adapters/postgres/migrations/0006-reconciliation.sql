-- Chain, ledger, intents, events, deliveries and audit records are compared for every range of final blocks and at the end
-- of every day. A difference is a break: it has an owner and an age, and ends only with somebody's word or with evidence.

-- The final blocks at which the books stood: one row per step of finality. A range begins and ends at one of these,
-- because a step posts all its payments at its last block; what a step wrote lies near `recorded_at`, so that a
-- comparison opens the days around it and no other.
create table final_block (
  chain_id bigint not null,
  vault address not null,
  number bigint not null,
  hash hash32 not null,
  -- Unix seconds of the block.
  at bigint not null,
  recorded_at timestamptz not null default now(),
  primary key (chain_id, vault, number)
);

create function record_final_block() returns trigger language plpgsql as $$
begin
  insert into final_block (chain_id, vault, number, hash, at)
  values (new.chain_id, new.vault, new.finalized_number, new.finalized_hash, new.finalized_at)
  on conflict do nothing;
  return null;
end $$;
create trigger finality_is_recorded after insert or update of finalized_number on chain_view
  for each row execute function record_final_block();

-- Ledger balances at the end of the last range: a balance is one row, not a sum over all history. Payees have one too:
-- it is what the vault owes them in credits.
create table reconciled_balance (
  chain_id bigint not null,
  vault address not null,
  token address not null,
  account text not null,
  balance numeric(78) not null,
  primary key (chain_id, vault, token, account)
) partition by hash (chain_id, vault, account);

-- One row per range or day, not per payment. `totals` and `settlements` hold amounts as text: JSON numbers lose digits.
create table reconciliation (
  id uuid primary key,
  chain_id bigint not null,
  vault address not null,
  kind text not null check (kind in ('range', 'day')),
  -- Exclusive, and inclusive; of a day: of its ranges, which belong to the UTC day of their last block.
  from_block bigint not null,
  to_block bigint not null,
  from_at bigint not null,
  to_at bigint not null,
  -- What was compared: a source that is not connected is not named.
  sources text[] not null,
  totals jsonb not null,
  settlements jsonb not null,
  -- Breaks that it opened, and those that it found open already.
  break_count integer not null,
  known_count integer not null,
  -- Open breaks of the vault when it had ended, and the age of the oldest.
  open_count integer not null,
  open_seconds_max bigint not null,
  started_at timestamptz not null,
  finished_at timestamptz not null default now(),
  check (from_block < to_block)
);
create index reconciliation_by_time on reconciliation (chain_id, vault, kind, to_at);
-- Lists go by id; these find the few among many.
create index reconciliation_with_breaks on reconciliation (id) where break_count > 0;
create index reconciliation_of_days on reconciliation (id) where kind = 'day';
create trigger reconciliation_is_append_only before update or delete on reconciliation
  for each row execute function refuse_change();

-- How far a vault is reconciled, and who works on it. The lease keeps two processes from reading the same blocks at the
-- same time; what counts is that `block_number` is still the one that a range started from.
create table reconciliation_cursor (
  chain_id bigint not null,
  vault address not null,
  block_number bigint not null,
  -- Days since 1970 in UTC: the last one that was closed.
  day bigint,
  -- The last range: what the vault held after it is where the next one starts.
  range_id uuid,
  holder text,
  held_until timestamptz,
  primary key (chain_id, vault)
);

create table reconciliation_break (
  id uuid primary key,
  chain_id bigint not null,
  vault address not null,
  kind text not null,
  subject text not null,
  -- Empty: it is about no single token.
  token bytea not null check (octet_length(token) in (0, 20)),
  -- As last found; null: nothing. `delta` is how far the two are apart.
  expected text,
  actual text,
  delta text not null,
  -- The reconciliations that found it first and last.
  opened_in uuid not null,
  seen_in uuid not null,
  opened_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  -- A role or a person.
  owner text not null default 'operator',
  -- corrected: put right, found again it is a new break. accepted: explained and left as it is, not opened again while
  -- the delta stays and until `lapsed_at`. cleared: a later reconciliation, named in resolved_by, found agreement.
  resolution text check (resolution in ('corrected', 'accepted', 'cleared')),
  note text,
  resolved_by text,
  resolved_at timestamptz,
  -- When the two sides of an accepted one agreed again, or differed otherwise: it explains nothing that is found later.
  lapsed_at timestamptz,
  check (lapsed_at is null or resolution = 'accepted'),
  check (num_nonnulls(resolution, note, resolved_by, resolved_at) in (0, 4)),
  check (resolution is null or note <> '')
);
-- The same difference is one open break, however often it is found.
create unique index break_is_open_once on reconciliation_break (chain_id, vault, kind, subject, token) where resolved_at is null;
create index break_by_reconciliation on reconciliation_break (opened_in);
create index break_is_accepted on reconciliation_break (chain_id, vault, kind, subject, token)
  where resolution = 'accepted' and lapsed_at is null;

create function keep_resolved_break() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.lapsed_at is null and new.lapsed_at is not null then
    old.lapsed_at := new.lapsed_at;
    if new is not distinct from old then
      return new;
    end if;
  end if;
  if tg_op = 'DELETE' or old.resolved_at is not null then
    raise exception 'break % is never deleted, nor changed once it is resolved', old.id;
  end if;
  return new;
end $$;
create trigger break_is_kept before update or delete on reconciliation_break
  for each row execute function keep_resolved_break();

do $$
begin
  for remainder in 0..7 loop
    execute format('create table %I partition of reconciled_balance for values with (modulus 8, remainder %s)', 'reconciled_balance_' || remainder, remainder);
  end loop;
end $$;

-- What a range moved, found by its blocks.
create index ledger_entry_by_block on ledger_entry (chain_id, vault, block_number) where block_number is not null;
create index batch_by_block on batch (chain_id, vault, block_number) where block_number is not null;
create index audit_record_by_block on audit_record (chain_id, vault, block_number);

-- Books that are older than reconciliation are taken as they stand; from here on every range is compared.
insert into final_block (chain_id, vault, number, hash, at)
select chain_id, vault, finalized_number, finalized_hash, finalized_at from chain_view;
insert into reconciled_balance (chain_id, vault, token, account, balance)
select e.chain_id, e.vault, e.token, p.account, sum(p.amount)
from ledger_entry e, unnest(e.accounts, e.amounts) as p(account, amount)
where e.block_number is not null and e.kind in ('deposit', 'withdrawal', 'posted', 'payout')
group by e.chain_id, e.vault, e.token, p.account;
