-- Lists are read newest first, a day at a time, from one of these indexes each: no page reads more than its bounds, however
-- much is stored. Events are followed in the order in which their DB transactions are known to have ended.

-- The app of the order that a payment pays, written with the payment: it may list it. Null where it also submitted it.
alter table intent add column order_app_id text;
update intent i set order_app_id = o.app_id from payment_order o where o.id = i.order_id and o.app_id <> i.app_id;

create index intent_by_app on intent (app_id, id);
create index intent_by_order_app on intent (order_app_id, id) where order_app_id is not null;
create index intent_by_payer on intent (payer, id);
create index intent_by_payee on intent (payee, id);

-- Ids of orders do not sort by time within a day, see api/order-id.ts.
create index payment_order_by_app on payment_order (app_id, created_at, id);
create index payment_order_by_reference on payment_order (app_id, reference, created_at, id);

-- The apps that have, or had, a payment in a batch: submitted by them, for their order, or to a payee that was theirs.
create table batch_app (
  app_id text not null,
  batch_id uuid not null,
  primary key (app_id, batch_id)
) partition by range (batch_id);

create index intent_event_in_order on intent_event (xid, intent_id, sequence);

-- Again for the days that exist already: a new table has none.
select ensure_day_partition(to_date(right(c.relname, 8), 'YYYYMMDD'))
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'intent'::regclass;
select ensure_day_partitions(3);

insert into batch_app (app_id, batch_id)
select distinct a.app_id, i.batch_id
from intent i left join payee_owner p on p.chain_id = i.chain_id and p.payee = i.payee,
  unnest(array[i.app_id, i.order_app_id, p.app_id]) as a(app_id)
where i.batch_id is not null and a.app_id is not null;
