import { sql } from 'kysely'
import type { OwnedPayee, Payees } from '../../core/ports/payees.ts'
import { addressOf, bytes } from './codec.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'

export function createPayees(database: Database): Payees {
  return {
    prove: (proof) => inTransaction(database, (tx) => prove(tx, proof)),
    list: (filter) => list(database, filter),
    disown: (payee) => disown(database, payee),
  }
}

type Proof = Parameters<Payees['prove']>[0]

/** The lock on the app's row makes those that prove at the same time count one after the other. */
async function prove(tx: DbTransaction, proof: Proof): ReturnType<Payees['prove']> {
  await sql`select from app where id = ${proof.appId} for no key update`.execute(tx)
  if ((await countOthers(tx, proof)) >= proof.countMax) return { outcome: 'full' }
  if (await store(tx, proof)) return { outcome: 'stored' }
  return { outcome: 'superseded', issuedAt: await issuedAtOf(tx, proof) }
}

/** Payees of the app beside this one; counted up to the limit. Zero if this one is the app's: then none is added. */
async function countOthers(tx: DbTransaction, { chainId, payee, appId, countMax }: Proof): Promise<number> {
  const [row] = await query(
    tx,
    sql<{ count: number }>`
      select count(*) as count from (select from payee_owner where app_id = ${appId} limit ${countMax}) as owned
      where not exists (
        select from payee_owner where chain_id = ${chainId} and payee = ${bytes(payee)} and app_id = ${appId})`,
  )
  if (row === undefined) throw new RangeError('a count returned no row')
  return row.count
}

/** The row lock of `on conflict` lets one of several proofs through at a time, and the latest stays. */
async function store(tx: DbTransaction, { chainId, payee, appId, issuedAt, signature }: Proof): Promise<boolean> {
  const stored = await query(
    tx,
    sql`
      insert into payee_owner as o (chain_id, payee, app_id, issued_at, signature)
      values (${chainId}, ${bytes(payee)}, ${appId}, ${issuedAt}, ${bytes(signature)})
      on conflict (chain_id, payee) do update
      set app_id = excluded.app_id, issued_at = excluded.issued_at, signature = excluded.signature, created_at = now()
      where o.issued_at < excluded.issued_at or (o.issued_at = excluded.issued_at and o.app_id = excluded.app_id)
      returning 1`,
  )
  return stored.length === 1
}

type Key = Pick<OwnedPayee, 'chainId' | 'payee'>

async function issuedAtOf(tx: DbTransaction, { chainId, payee }: Key): Promise<bigint> {
  const [row] = await query(
    tx,
    sql<{ issued_at: number }>`
      select issued_at from payee_owner where chain_id = ${chainId} and payee = ${bytes(payee)}`,
  )
  return BigInt(row?.issued_at ?? 0)
}

async function list(
  database: Database,
  { appId, after, countMax }: Parameters<Payees['list']>[0],
): Promise<readonly OwnedPayee[]> {
  const isAfter =
    after === undefined ? sql`true` : sql`(chain_id, payee) > (${after.chainId}::bigint, ${bytes(after.payee)}::bytea)`
  const rows = await query(
    database,
    sql<{ chain_id: number; payee: Buffer; issued_at: number }>`
      select chain_id, payee, issued_at from payee_owner
      where app_id = ${appId} and ${isAfter}
      order by chain_id, payee limit ${countMax}`,
  )
  return rows.map((row) => ({
    chainId: row.chain_id,
    payee: addressOf(row.payee),
    issuedAt: BigInt(row.issued_at),
  }))
}

/** The row stays without an app: an older proof is older than it. */
async function disown(
  database: Database,
  { chainId, payee, appId, nowSeconds }: Parameters<Payees['disown']>[0],
): Promise<boolean> {
  const disowned = await query(
    database,
    sql`
      update payee_owner set app_id = null, issued_at = greatest(issued_at, ${nowSeconds}::bigint)
      where chain_id = ${chainId} and payee = ${bytes(payee)} and app_id = ${appId}
      returning 1`,
  )
  return disowned.length === 1
}
