import { sql } from 'kysely'
import type { Hex } from 'viem'
import { availableFloor } from '../../core/account.ts'
import { decidePromise, type Promised } from '../../core/acknowledgement.ts'
import { RelayError } from '../../core/errors.ts'
import { voided } from '../../core/ledger.ts'
import type { Acknowledger } from '../../core/ports/intake.ts'
import type { HoldDecision, Intents } from '../../core/ports/intents.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { type AccountRow, accountStateOf } from './accounts.ts'
import { signTree, storeTrees } from './acknowledgements.ts'
import { findChainView } from './chain-view.ts'
import { addressOf, hexOf, type IdPrefix, uuidOf, uuidOfOwn } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction, query } from './database.ts'
import { viewAt } from './intake-books.ts'
import { type IntentRow, lockIntent, paymentOf } from './intent-row.ts'
import { storeLedgerEntries } from './ledger.ts'

export type HoldWiring = {
  readonly database: Database
  readonly acknowledger: Acknowledger
  readonly newId: (prefix: IdPrefix) => string
}

type Release = Parameters<Intents['release']>[0]
type Reject = Parameters<Intents['reject']>[0]

export function release(wiring: HoldWiring, hold: Release): Promise<HoldDecision> {
  return decide(wiring.database, hold.id, async (tx, held) => {
    if (held.row.chain_id !== hold.chain.chainId) throw new RangeError(`${hold.id} is on chain ${held.row.chain_id}`)
    // The same rule as at accept: a promise needs a signature that lives for a while.
    const deadline = BigInt(held.row.deadline)
    if (deadline < BigInt(hold.nowSeconds + hold.chain.promise.deadlineSecondsMin))
      return { outcome: 'expired', deadline }
    const tree = await signTree(wiring.acknowledger, {
      id: wiring.newId('ak'),
      chainId: hold.chain.chainId,
      acknowledgements: [
        {
          paymentDigest: hexOf(held.row.digest),
          orderHash: await orderHashOf(tx, held.row),
          fee: 0n,
          acceptedAt: BigInt(hold.nowSeconds),
          ...(await promiseNow(tx, held, hold)),
        },
      ],
    })
    const [acknowledgement] = tree.acknowledgements
    if (acknowledgement === undefined) throw new RelayError('internal', `${hold.id} was not acknowledged`)
    await storeTrees(tx, [tree])
    await sql`
      update intent set state = 'accepted', reason = null, guarantee = ${acknowledgement.guarantee},
        accepted_at = ${acknowledgement.acceptedAt}, settle_by = ${acknowledgement.settleBy},
        acknowledgement_id = ${uuidOfOwn('ak', tree.id)}, acknowledgement_index = 0, retry_at = now(), updated_at = now()
      where id = ${held.row.id}`.execute(tx)
    await storeOpLog(tx, wiring.newId('ol'), 'hold.release', hold)
    return { outcome: 'decided', state: 'accepted' }
  })
}

export function reject(wiring: HoldWiring, hold: Reject): Promise<HoldDecision> {
  return decide(wiring.database, hold.id, async (tx, { row }) => {
    if (row.mode === 'pull') {
      // Any relayer of the vault may settle it, so its signature lives until its deadline.
      await sql`
        update intent set state = 'cancelling', reason = 'rejected by an operator', updated_at = now()
        where id = ${row.id}`.execute(tx)
      await storeOpLog(tx, wiring.newId('ol'), 'hold.reject', hold)
      return { outcome: 'decided', state: 'cancelling' }
    }
    await sql`
      update intent set state = 'rejected', reason = 'rejected by an operator', updated_at = now()
      where id = ${row.id}`.execute(tx)
    await sql`
      update account set reserved = reserved - ${row.amount}::numeric
      where chain_id = ${row.chain_id} and vault = ${row.vault} and payer = ${row.payer} and token = ${row.token}
        and mode = ${row.mode}`.execute(tx)
    await sql`
      delete from intent_nonce
      where chain_id = ${row.chain_id} and vault = ${row.vault} and payer = ${row.payer} and token = ${row.token}
        and mode = ${row.mode} and nonce = ${row.nonce} and intent_id = ${row.id}`.execute(tx)
    await sql`delete from order_claim where order_id = ${row.order_id} and intent_id = ${row.id}`.execute(tx)
    await storeLedgerEntries(tx, [
      {
        ...voided({ ...paymentOf(row), mode: row.mode }),
        chainId: row.chain_id,
        vault: addressOf(row.vault),
        token: addressOf(row.token),
        intentId: hold.id,
        batchId: undefined,
        blockNumber: undefined,
        txHash: undefined,
        logIndex: undefined,
      },
    ])
    await storeOpLog(tx, wiring.newId('ol'), 'hold.reject', hold)
    return { outcome: 'decided', state: 'rejected' }
  })
}

type Held = { readonly row: IntentRow; readonly account: AccountRow & { readonly reserved: string } }

/** Does `work` if the payment is on hold, under the locks of its account and itself, taken in the order that accept and finality use. */
async function decide(
  database: Database,
  id: string,
  work: (tx: DbTransaction, held: Held) => Promise<HoldDecision>,
): Promise<HoldDecision> {
  const uuid = uuidOf('pi', id)
  if (uuid === undefined) return { outcome: 'not_found' }
  return retryContention(() =>
    inTransaction(database, async (tx): Promise<HoldDecision> => {
      const row = await find(tx, uuid)
      if (row === undefined) return { outcome: 'not_found' }
      const account = await lockAccount(tx, row)
      const before = await lockIntent(tx, uuid)
      if (before === undefined) return { outcome: 'not_found' }
      if (before !== 'held') return { outcome: 'not_held', state: before }
      return work(tx, { row, account })
    }),
  )
}

/** What is signed never changes, so it is read before the locks: it says which account to lock. */
async function find(tx: DbTransaction, uuid: string): Promise<IntentRow | undefined> {
  const [row] = await query(tx, sql<IntentRow>`select * from intent where id = ${uuid}`)
  return row
}

/** Not joined to the payment: by its own id, the order's day alone is opened. */
async function orderHashOf(tx: DbTransaction, { order_id }: IntentRow): Promise<Hex> {
  if (order_id === null) return zeroHash
  const [order] = await query(
    tx,
    sql<{ order_hash: Buffer }>`select order_hash from payment_order where id = ${order_id}`,
  )
  if (order === undefined) throw new RelayError('internal', `the order ${order_id} of a held payment is gone`)
  return hexOf(order.order_hash)
}

async function lockAccount(tx: DbTransaction, row: IntentRow): Promise<Held['account']> {
  const [account] = await query(
    tx,
    sql<Held['account']>`
      select * from account
      where chain_id = ${row.chain_id} and vault = ${row.vault} and payer = ${row.payer} and token = ${row.token}
        and mode = ${row.mode}
      for update`,
  )
  if (account === undefined) throw new RelayError('internal', `the account of held payment ${row.id} is gone`)
  return account
}

/** The world may have changed during the hold: money that is leaving, or an account that is, allows no firm promise. */
async function promiseNow(
  tx: DbTransaction,
  { row, account }: Held,
  { chain, nowSeconds }: Release,
): Promise<Promised> {
  const view = await findChainView(tx, chain.chainId, chain.vault)
  const state = accountStateOf(account)
  // `reserved` counts this payment already.
  const isCovered =
    availableFloor(state, BigInt(account.reserved) - BigInt(row.amount)) >= BigInt(row.amount) &&
    state.relayerId === chain.relayerId &&
    !state.isRebinding
  const promised = decidePromise({
    deadline: BigInt(row.deadline),
    nowSeconds,
    view: viewAt(view, nowSeconds),
    promise: chain.promise,
    mode: row.mode,
  })
  return isCovered ? promised : { ...promised, guarantee: 'optimistic' }
}

async function storeOpLog(tx: DbTransaction, logId: string, action: string, hold: Release | Reject): Promise<void> {
  await sql`
    insert into op_log (id, app_id, action, subject, note)
    values (${uuidOfOwn('ol', logId)}, ${hold.operatorId}, ${action}, ${hold.id}, ${hold.note ?? null})`.execute(tx)
}
