import { type Address, type Hex, keccak256 } from 'viem'
import { type AuditRecord, auditTree, type CancelEntry, type PaymentEntry } from './protocol/audit-record.ts'
import type { Taking } from './protocol/taking.ts'
import { cancelDigest, domainOf, domainSeparator } from './protocol/typed-data.ts'
import { type MinedBatch, type SettledBatch, settledBatch } from './settled-batch.ts'

/** A final tx as its receipt tells it. */
export type AuditedTx = {
  readonly hash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  /** Unix seconds. */
  readonly blockTime: bigint
  readonly status: bigint
  readonly gasUsed: bigint
  readonly effectiveGasPriceWei: bigint
  /** The vault's, in log order. */
  readonly logs: readonly { readonly logIndex: number; readonly topics: readonly Hex[]; readonly data: Hex }[]
}

/** What a settling tx carried: a packed batch, or promised payments that somebody settled one by one. */
export type Settled =
  | (MinedBatch & {
      readonly kind: 'batch'
      /** Undefined for a batch that was not sent from these books. */
      readonly batchId: string | undefined
      readonly opening: { readonly sequence: bigint; readonly head: Hex } | undefined
    })
  | { readonly kind: 'overdue'; readonly payments: readonly OverduePayment[] }

export type OverduePayment = {
  readonly digest: Hex
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly nonce: bigint
  readonly orderRef: Hex
}

/** What our books add to a payment that the chain shows. */
export type BookedPayment = {
  readonly appId: string
  readonly orderHash: Hex | undefined
  readonly deadline: bigint
  readonly signature: Hex
}
/** A cancel record that took effect: who submitted the payment that it ended. */
export type BookedCancel = { readonly appId: string }
/** `first`, `count`: the numbers that finality gave to the app's settled payments in this record. */
export type AuditedApp = { readonly tag: Hex; readonly first: bigint; readonly count: number }

export type AuditFacts = {
  readonly chainId: number
  readonly vault: Address
  readonly relayerId: number
  readonly sequence: bigint
  readonly previous: Hex
  readonly tx: AuditedTx
  readonly settled: Settled
  readonly payments: ReadonlyMap<Hex, BookedPayment>
  /** By position among the batch's cancels. */
  readonly cancels: ReadonlyMap<number, BookedCancel>
  readonly apps: ReadonlyMap<string, AuditedApp>
}

/**
 * The audit record of one settling tx, a function of final facts alone: whoever builds it, whenever, gets the same bytes.
 * @throws Error if books and chain disagree on how many payments of an app it settled.
 */
export function auditRecordOf(facts: AuditFacts): AuditRecord {
  const { settled, tx } = facts
  const batch = settled.kind === 'batch' ? settledBatch(settled, domainSeparator(domainOf(facts))) : undefined
  const { payments, cancels } = batch !== undefined ? entriesOfBatch(facts, batch) : entriesOfOverdue(facts)
  return {
    schema: 'ice.audit-record/1',
    chainId: `${facts.chainId}`,
    vault: lower(facts.vault),
    relayerId: `${facts.relayerId}`,
    sequence: `${facts.sequence}`,
    previous: facts.previous,
    batch: settled.kind === 'batch' && batch !== undefined ? batchOf(settled, batch) : null,
    tx: {
      hash: tx.hash,
      blockNumber: `${tx.blockNumber}`,
      blockHash: tx.blockHash,
      blockTime: `${tx.blockTime}`,
      status: `${tx.status}`,
      gasUsed: `${tx.gasUsed}`,
      effectiveGasPriceWei: `${tx.effectiveGasPriceWei}`,
      logs: tx.logs.map(({ logIndex, topics, data }) => ({ logIndex: `${logIndex}`, topics: [...topics], data })),
    },
    payments: [...payments],
    cancels: [...cancels],
    merkle: auditTree([...payments, ...cancels]),
  }
}

type BatchSettled = Extract<Settled, { kind: 'batch' }>
type Entries = { readonly payments: readonly PaymentEntry[]; readonly cancels: readonly CancelEntry[] }

function batchOf(
  { batchId, opening, scale, payload, results }: BatchSettled,
  { token, anchor }: SettledBatch,
): AuditRecord['batch'] {
  return {
    id: batchId ?? null,
    token: lower(token),
    scale: `${scale}`,
    anchor,
    opening: opening === undefined ? null : { sequence: `${opening.sequence}`, head: opening.head },
    payloadHash: keccak256(payload),
    results,
  }
}

/** Read from the calldata, so that the record says what was signed and settled, whatever has become of our rows. */
function entriesOfBatch(facts: AuditFacts, batch: SettledBatch): Entries {
  const separator = domainSeparator(domainOf(facts))
  const payments = numbered(
    facts,
    batch.payments.map(({ payment, taking, digest, signature, bit, isSettled }) => {
      // In a run only the last signature is on chain; the payer gave us one for each payment.
      const booked = digest === undefined ? undefined : facts.payments.get(digest)
      const own = signature ?? booked?.signature
      return { ...payment, taking, digest, signature: own, index: bit, result: isSettled, deadline: payment.deadline }
    }),
  )
  const cancels = batch.cancels.map((cancel, index): CancelEntry => {
    const booked = facts.cancels.get(index)
    return {
      kind: 'cancel',
      index: `${cancel.bit}`,
      digest: cancelDigest(separator, cancel),
      payer: lower(cancel.payer),
      token: lower(cancel.token),
      nonce: `${cancel.nonce}`,
      deadline: `${cancel.deadline}`,
      signature: cancel.signature,
      result: cancel.isSettled,
      app: booked === undefined ? null : appOf(facts, booked.appId).tag,
    }
  })
  return { payments, cancels }
}

/** The event holds what was signed but deadline and signature: those are known if the payment is in our books. */
function entriesOfOverdue(facts: AuditFacts): Entries {
  if (facts.settled.kind !== 'overdue') return { payments: [], cancels: [] }
  const seen = facts.settled.payments.map((payment, index): SeenPayment => {
    const booked = facts.payments.get(payment.digest)
    const taking = { mode: 'independent' } as const
    return { ...payment, taking, index, result: true, signature: booked?.signature, deadline: booked?.deadline }
  })
  return { payments: numbered(facts, seen), cancels: [] }
}

type SeenPayment = Omit<OverduePayment, 'digest'> & {
  readonly taking: Taking
  readonly digest: Hex | undefined
  readonly index: number
  readonly result: boolean
  readonly deadline: bigint | undefined
  readonly signature: Hex | undefined
}

/** Gives the settled payments of each app the numbers that finality set aside for them, in the record's order. */
function numbered(facts: AuditFacts, seen: readonly SeenPayment[]): readonly PaymentEntry[] {
  const counts = new Map<string, number>()
  const entries = seen.map((payment): PaymentEntry => {
    const booked = payment.digest === undefined ? undefined : facts.payments.get(payment.digest)
    const app = booked === undefined ? undefined : appOf(facts, booked.appId)
    let appSequence: string | null = null
    if (booked !== undefined && app !== undefined && payment.result) {
      const before = counts.get(booked.appId) ?? 0
      counts.set(booked.appId, before + 1)
      appSequence = `${app.first + BigInt(before)}`
    }
    const entry = {
      index: `${payment.index}`,
      payer: lower(payment.payer),
      payee: lower(payment.payee),
      token: lower(payment.token),
      amount: `${payment.amount}`,
      deadline: payment.deadline === undefined ? null : `${payment.deadline}`,
      orderRef: payment.orderRef,
      signature: payment.signature ?? null,
      result: payment.result,
      orderHash: booked?.orderHash ?? null,
      app: app?.tag ?? null,
      appSequence,
    }
    return entryOf(payment, entry)
  })
  for (const [appId, { count }] of facts.apps) {
    const found = counts.get(appId) ?? 0
    if (found !== count) {
      throw new Error(
        `record ${facts.sequence} settles ${found} payments of ${appId} on chain and ${count} in the books`,
      )
    }
  }
  return entries
}

type CommonEntry = Omit<Extract<PaymentEntry, { kind: 'payment' }>, 'kind' | 'digest' | 'nonce'>

/** @throws RangeError for a payment without digest that is not of a chained run */
function entryOf({ taking, digest, nonce }: SeenPayment, entry: CommonEntry): PaymentEntry {
  if (taking.mode === 'chained') {
    return digest === undefined
      ? { kind: 'chained', ...entry, digest: null, sequence: null, previous: null }
      : { kind: 'chained', ...entry, digest, sequence: `${nonce}`, previous: taking.previous }
  }
  if (digest === undefined) throw new RangeError(`a payment of mode ${taking.mode} without digest`)
  if (taking.mode === 'pull') return { kind: 'pull', ...entry, digest, nonce: `${nonce}`, means: taking.means }
  return { kind: 'payment', ...entry, digest, nonce: `${nonce}` }
}

function appOf({ apps, sequence }: AuditFacts, appId: string): AuditedApp {
  const app = apps.get(appId)
  if (app === undefined) throw new Error(`record ${sequence} names ${appId}, which has no tag`)
  return app
}

/** One spelling: checksums belong where people read addresses. */
function lower(address: Address): Address {
  return address.toLowerCase() as Address
}
