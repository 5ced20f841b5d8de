import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { bytes, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { inTransaction } from '../../adapters/postgres/database.ts'
import { createIntake } from '../../adapters/postgres/intake.ts'
import { payerWith } from './books.ts'
import { testIntake } from './intake.suite.ts'
import { candidate, holdAbove, nowSeconds, order } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { database, acknowledger, intake, orders } = books
testIntake('Postgres', books)

const written = ['intent', 'intent_digest', 'intent_nonce', 'order_claim', 'acknowledgement', 'ledger_entry'] as const
async function fingerprint() {
  const counts = written.map((table) => sql`(select count(*) from ${sql.table(table)}) as ${sql.ref(table)}`)
  const { rows } = await sql`select ${sql.join(counts)}, (select sum(reserved) from account) as reserved`.execute(
    database,
  )
  return rows[0]
}

/** A set that touches every table: accepted, held, for an order. */
async function fullSet() {
  const wanted = order()
  await orders.create(wanted)
  const payer = await payerWith(books, 10n * holdAbove)
  return [
    candidate({ payer, payee: wanted.payee, orderRef: wanted.orderRef }),
    candidate({ payer, amount: holdAbove + 1n, nonce: 1n }),
  ]
}

describe('an intake that fails in the middle stores nothing', () => {
  test('when the acknowledger throws', async () => {
    const set = await fullSet()
    const before = await fingerprint()
    const broken = { ...acknowledger, signRoot: () => Promise.reject(new Error('the key is locked')) }
    const failing = createIntake({ database, acknowledger: broken, newId })
    await expect(failing.admit(set, nowSeconds())).rejects.toThrow('the key is locked')
    expect(await fingerprint()).toEqual(before)
    expect((await intake.admit(set, nowSeconds())).map(({ outcome }) => outcome)).toEqual(['accepted', 'held'])
  })

  test.each([...written, 'account'] as const)('when the write to %s throws', async (table) => {
    const set = await fullSet()
    const before = await fingerprint()
    await sql`
      create or replace function fail() returns trigger language plpgsql as $$ begin raise exception 'the disk is full'; end $$;
      create trigger failing before insert or update on ${sql.table(table)} for each row execute function fail()`.execute(
      database,
    )
    try {
      await expect(intake.admit(set, nowSeconds())).rejects.toThrow('the disk is full')
    } finally {
      await sql`drop trigger failing on ${sql.table(table)}`.execute(database)
    }
    expect(await fingerprint()).toEqual(before)
    expect((await intake.admit(set, nowSeconds())).map(({ outcome }) => outcome)).toEqual(['accepted', 'held'])
  })

  test('when a deadlock throws it out twice, it tries again and passes', async () => {
    const set = await fullSet()
    await sql`
      create sequence deadlocks;
      create function deadlock_twice() returns trigger language plpgsql as
      $$ begin if nextval('deadlocks') <= 2 then raise exception 'deadlock' using errcode = '40P01'; end if; return new; end $$;
      create trigger failing before insert on order_claim for each row execute function deadlock_twice()`.execute(
      database,
    )
    try {
      expect((await intake.admit(set, nowSeconds())).map(({ outcome }) => outcome)).toEqual(['accepted', 'held'])
    } finally {
      await sql`drop trigger failing on order_claim`.execute(database)
    }
  })
})

test('accounts are locked in one order, whatever the order of the set', async () => {
  const payers = (await Promise.all([payerWith(books, 100n), payerWith(books, 100n)])).sort((a, b) =>
    a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  )
  const [low, high] = payers.map((payer) => candidate({ payer }))
  if (low === undefined || high === undefined) throw new Error('two payers')
  const isFree = async ({ payment }: typeof low) =>
    (await sql`select from account where payer = ${bytes(payment.payer)} for update skip locked`.execute(database)).rows
      .length === 1

  const { waiting } = await inTransaction(database, async (tx) => {
    await sql`select from account where payer = ${bytes(low.payment.payer)} for update`.execute(tx)
    const waiting = books.rival.intake.admit([high, low], nowSeconds())
    await sleep(150)
    expect(await isFree(low)).toBe(false)
    expect(await isFree(high)).toBe(true)
    return { waiting }
  })
  expect((await waiting).map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted'])
})

describe('the ledger', () => {
  test('has one balanced pending entry per payment taken, with EIP-55 names', async () => {
    const set = await fullSet()
    await intake.admit(set, nowSeconds())
    for (const { id, payment } of set) {
      const { rows } = await sql`
        select kind, accounts, amounts::text[] as amounts from ledger_entry where intent_id = ${uuidOfOwn('pi', id)}`.execute(
        database,
      )
      expect(rows).toEqual([
        {
          kind: 'pending',
          accounts: [`payer:${payment.payer}`, `payee:${payment.payee}`],
          amounts: [`${payment.amount}`, `-${payment.amount}`],
        },
      ])
    }
  })

  test.each([
    ['amounts that do not sum to zero', "'{vault,payer:a}'", "'{5,-4}'"],
    ['one posting', "'{vault}'", "'{0}'"],
    ['more accounts than amounts', "'{vault,payer:a,payer:b}'", "'{5,-5}'"],
    ['no amounts at all', "'{vault,payer:a}'", "'{null,null}'"],
    ['no account', "'{vault,null}'", "'{5,-5}'"],
  ])('refuses %s', async (_name, accounts, amounts) => {
    const id = uuidOfOwn('le', newId('le'))
    const insert = sql`
      insert into ledger_entry (id, kind, chain_id, vault, token, accounts, amounts)
      values (${id}, 'deposit', 1, ${Buffer.alloc(20)}, ${Buffer.alloc(20)}, ${sql.raw(accounts)}, ${sql.raw(amounts)})`
    await expect(insert.execute(database)).rejects.toMatchObject({ code: '23514' })
  })

  test('is never updated and never deleted', async () => {
    await intake.admit(await fullSet(), nowSeconds())
    await expect(sql`update ledger_entry set kind = 'posted'`.execute(database)).rejects.toThrow('never changed')
    await expect(sql`delete from ledger_entry`.execute(database)).rejects.toThrow('never changed')
  })

  test('agrees with what is reserved', async () => {
    const { rows } = await sql<{ agree: boolean }>`
      select (select sum(reserved) from account) = (select sum(amount) from ledger_posting where amount > 0) as agree`.execute(
      database,
    )
    expect(rows).toEqual([{ agree: true }])
  })
})
