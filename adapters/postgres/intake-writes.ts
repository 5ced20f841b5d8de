import { sql } from 'kysely'
import type { Candidate } from '../../core/admit.ts'
import { linkOf } from '../../core/chained.ts'
import { RelayError } from '../../core/errors.ts'
import { pending } from '../../core/ledger.ts'
import type { SignedAcknowledgement } from '../../core/ports/intake.ts'
import { byteaText, uuidOfOwn } from './codec.ts'
import type { DbTransaction } from './database.ts'
import { storeLedgerEntries } from './ledger.ts'
import { isRecent } from './open-window.ts'

/** A candidate that goes into the books. `treeId`, `index`: where its acknowledgement is. */
export type Taken = {
  readonly candidate: Candidate
  readonly orderId: string | undefined
  /** App of that order. */
  readonly orderAppId: string | undefined
} & (
  | { readonly outcome: 'held'; readonly reason: string }
  | {
      readonly outcome: 'accepted'
      readonly treeId: string
      readonly index: number
      readonly acknowledgement: SignedAcknowledgement
    }
)

/** Writes accepted and held payments with all that goes with them. Their accounts and orders must be locked by `tx`. */
export async function storeTaken(tx: DbTransaction, taken: readonly Taken[]): Promise<void> {
  if (taken.length === 0) return
  const set = JSON.stringify(taken.map(rowOf))
  await storeIntents(tx, set)
  await storeDigests(tx, set)
  await storePermits(tx, taken)
  await claimNonces(tx, set, taken.length)
  await claimOrders(tx, set)
  await reserve(tx, set)
  await storeLedgerEntries(
    tx,
    taken.map(({ candidate: { id, chain, payment, taking } }) => ({
      ...pending({ ...payment, mode: taking.mode }),
      chainId: chain.chainId,
      vault: chain.vault,
      token: payment.token,
      intentId: id,
      batchId: undefined,
      blockNumber: undefined,
      txHash: undefined,
      logIndex: undefined,
    })),
  )
}

/** One element of the set that every statement below reads. */
function rowOf(taken: Taken) {
  const { id, appId, chain, token, payment, taking, digest, signature } = taken.candidate
  const promise =
    taken.outcome === 'accepted'
      ? {
          guarantee: taken.acknowledgement.guarantee,
          accepted_at: `${taken.acknowledgement.acceptedAt}`,
          settle_by: `${taken.acknowledgement.settleBy}`,
          acknowledgement_id: uuidOfOwn('ak', taken.treeId),
          acknowledgement_index: taken.index,
        }
      : { reason: taken.reason }
  return {
    id: uuidOfOwn('pi', id),
    app_id: appId,
    chain_id: chain.chainId,
    vault: byteaText(chain.vault),
    token: byteaText(payment.token),
    payer: byteaText(payment.payer),
    payee: byteaText(payment.payee),
    amount: `${payment.amount}`,
    nonce: `${payment.nonce}`,
    mode: taking.mode,
    ...(taking.mode === 'pull' ? { means: taking.means } : {}),
    ...(taking.mode === 'chained'
      ? { previous: byteaText(taking.previous), link: byteaText(linkOf(payment, taking.previous, token.scale)) }
      : {}),
    deadline: `${payment.deadline}`,
    order_ref: byteaText(payment.orderRef),
    order_id: taken.orderId === undefined ? null : uuidOfOwn('po', taken.orderId),
    order_app_id: taken.orderAppId === appId ? undefined : taken.orderAppId,
    digest: byteaText(digest),
    signature: byteaText(signature),
    state: taken.outcome,
    ...promise,
  }
}

async function storeIntents(tx: DbTransaction, set: string): Promise<void> {
  await sql`
    insert into intent (id, app_id, chain_id, vault, token, payer, payee, amount, nonce, mode, means, previous, link, deadline,
      order_ref, order_id, order_app_id, digest, signature, state, reason, guarantee, accepted_at, settle_by, acknowledgement_id, acknowledgement_index)
    select * from jsonb_to_recordset(${set}::jsonb) as r(id uuid, app_id text, chain_id bigint, vault bytea, token bytea,
      payer bytea, payee bytea, amount numeric, nonce bigint, mode text, means text, previous bytea, link bytea, deadline bigint, order_ref bytea, order_id uuid,
      order_app_id text, digest bytea, signature bytea, state text, reason text, guarantee text, accepted_at bigint, settle_by bigint,
      acknowledgement_id uuid, acknowledgement_index integer)`.execute(tx)
}

async function storePermits(tx: DbTransaction, taken: readonly Taken[]): Promise<void> {
  const set = taken.flatMap(({ candidate: { id, permit } }) => {
    if (permit === undefined) return []
    const { value, deadline, signature } = permit
    return [{ id: uuidOfOwn('pi', id), value: `${value}`, deadline: `${deadline}`, signature: byteaText(signature) }]
  })
  if (set.length === 0) return
  await sql`
    insert into pull_permit (intent_id, value, deadline, signature)
    select id, value, deadline, signature
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb) as r(id uuid, value numeric, deadline numeric, signature bytea)`.execute(
    tx,
  )
}

/** Without `on conflict`: a digest that slipped past the account's lock must undo the whole set. */
async function storeDigests(tx: DbTransaction, set: string): Promise<void> {
  await sql`
    insert into intent_digest (digest, intent_id, app_id)
    select digest, id, app_id from jsonb_to_recordset(${set}::jsonb) as r(digest bytea, id uuid, app_id text)`.execute(
    tx,
  )
}

/**
 * Takes over what prepare handed out. A nonce of another payment is never taken: the decision saw it under the same lock.
 * But the sequence of a chained payment that is being cancelled is free: nobody but us could settle it, and we do not.
 */
async function claimNonces(tx: DbTransaction, set: string, count: number): Promise<void> {
  const { numAffectedRows } = await sql`
    insert into intent_nonce as n (chain_id, vault, payer, token, mode, nonce, intent_id)
    select chain_id, vault, payer, token, mode, nonce, id
    from jsonb_to_recordset(${set}::jsonb)
      as r(chain_id bigint, vault bytea, payer bytea, token bytea, mode text, nonce bigint, id uuid)
    on conflict (chain_id, vault, payer, token, mode, nonce) do update
    set intent_id = excluded.intent_id, expires_at = null
    where n.intent_id is null or (n.mode = 'chained'
      and exists (select from intent i where i.id = n.intent_id and ${isRecent('i.id')} and i.state = 'cancelling'))`.execute(
    tx,
  )
  if (numAffectedRows !== BigInt(count)) {
    throw new RelayError('internal', `${numAffectedRows} of ${count} nonces were free under their lock`)
  }
}

async function claimOrders(tx: DbTransaction, set: string): Promise<void> {
  await sql`
    insert into order_claim (order_id, intent_id)
    select order_id, id from jsonb_to_recordset(${set}::jsonb) as r(order_id uuid, id uuid)
    where order_id is not null`.execute(tx)
}

async function reserve(tx: DbTransaction, set: string): Promise<void> {
  await sql`
    update account a set reserved = a.reserved + r.amount
    from (
      select chain_id, vault, payer, token, mode, sum(amount) as amount
      from jsonb_to_recordset(${set}::jsonb)
        as r(chain_id bigint, vault bytea, payer bytea, token bytea, mode text, amount numeric)
      group by chain_id, vault, payer, token, mode
    ) as r
    where a.chain_id = r.chain_id and a.vault = r.vault and a.payer = r.payer and a.token = r.token and a.mode = r.mode`.execute(
    tx,
  )
}
