-- Checks and indexes of large tables take longer than a statement may otherwise.
set local statement_timeout = 0;

-- Three ways in which a payment's money is taken, see core/protocol/taking.ts, and a second settlement contract per chain:
-- `vault` names the contract whose books a row belongs to, the vault itself or the pull settler.

-- Each contract follows the chain by itself, so that neither waits for the other.
alter table block add column vault address;
update block b set vault = v.vault from chain_view v where v.chain_id = b.chain_id;
delete from block where vault is null;
alter table block alter column vault set not null;
alter table block drop constraint block_pkey;
alter table block add primary key (chain_id, vault, number);

create domain settlement_mode as text check (value in ('independent', 'chained', 'pull'));

-- `top_nonce` of a chained account is its sequence, all of `nonce_window` is used, and `head` is the link of that payment.
-- `balance` and `allowance` of a wallet are what was last read of it.
alter table account add column mode settlement_mode not null default 'independent';
alter table account alter column mode drop default;
alter table account add column head bytea check (octet_length(head) = 16);
alter table account add column allowance atomic;
alter table account drop constraint account_pkey;
alter table account add primary key (chain_id, vault, payer, token, mode);
alter table account add check ((mode = 'chained') = (head is not null));
alter table account add check ((mode = 'pull') = (allowance is not null));

-- `nonce` of a chained payment is its sequence, `previous` the link that it continues, `link` its own.
alter table intent add column mode settlement_mode not null default 'independent';
alter table intent alter column mode drop default;
alter table intent add column means text check (means in ('allowance', 'authorization'));
alter table intent add column previous bytea check (octet_length(previous) = 16);
alter table intent add column link bytea check (octet_length(link) = 16);
alter table intent add check ((mode = 'pull') = (means is not null));
alter table intent add check ((mode = 'chained') = (previous is not null) and (previous is null) = (link is null));

drop index intent_waiting;
create index intent_waiting on intent (chain_id, vault, token, mode, state, retry_at, id, deadline)
  where state in ('accepted', 'cancelling') and outside_block is null;
-- The open payments of a chained account, in their order.
create index intent_chained on intent (chain_id, vault, payer, token, nonce)
  where mode = 'chained' and state in ('held', 'accepted', 'batched', 'cancelling');

alter table intent_nonce add column mode settlement_mode not null default 'independent';
alter table intent_nonce alter column mode drop default;
alter table intent_nonce drop constraint intent_nonce_pkey;
alter table intent_nonce add primary key (chain_id, vault, payer, token, mode, nonce);

alter table batch add column mode settlement_mode not null default 'independent';
alter table batch alter column mode drop default;

-- What a payer without allowance sends along: the settler passes it on to the token before the payment (EIP-2612).
create table pull_permit (
  intent_id uuid primary key,
  value atomic not null,
  deadline atomic not null,
  signature bytea not null check (octet_length(signature) = 64)
) partition by hash (intent_id);
do $$ begin
  for remainder in 0..7 loop
    execute format('create table %I partition of pull_permit for values with (modulus 8, remainder %s)', 'pull_permit_' || remainder, remainder);
  end loop;
end $$;
