import { type Address, type Hex, keccak256 } from 'viem'
import { type AuditRecord, auditTree, type CancelEntry, type PaymentEntry } from './protocol/audit-record.ts'
import { decodeBatch, decodeResults } from './protocol/packed.ts'
import { cancelDigest, domainOf, domainSeparator, paymentDigest } from './protocol/typed-data.ts'

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
  | {
      readonly kind: 'batch'
      /** Undefined for a batch that was not sent from these books. */
      readonly batchId: string | undefined
      readonly opening: { readonly sequence: bigint; readonly head: Hex } | undefined
      readonly scale: bigint
      readonly payload: Hex
      readonly results: Hex
    }
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
  const { payments, cancels } =
    settled.kind === 'batch' ? entriesOfBatch(facts, settled) : entriesOfOverdue(facts, settled)
  return {
    schema: 'ice.audit-record/1',
    chainId: `${facts.chainId}`,
    vault: lower(facts.vault),
    relayerId: `${facts.relayerId}`,
    sequence: `${facts.sequence}`,
    previous: facts.previous,
    batch: settled.kind === 'batch' ? batchOf(settled) : null,
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

function batchOf({ batchId, opening, scale, payload, results }: BatchSettled): AuditRecord['batch'] {
  const { token, anchor } = decodeBatch(payload, scale)
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
function entriesOfBatch(facts: AuditFacts, { payload, scale, results }: BatchSettled): Entries {
  const batch = decodeBatch(payload, scale)
  const bits = decodeResults(results, batch.payments.length + batch.cancels.length)
  const separator = domainSeparator(domainOf(facts))
  const payments = numbered(
    facts,
    batch.payments.map((payment, index) => {
      const { signature, ...signed } = payment
      const digest = paymentDigest(separator, payment)
      return { ...signed, digest, signature, index, result: bits[index] === true, deadline: payment.deadline }
    }),
  )
  const cancels = batch.cancels.map((cancel, index): CancelEntry => {
    const at = batch.payments.length + index
    const booked = facts.cancels.get(index)
    return {
      kind: 'cancel',
      index: `${at}`,
      digest: cancelDigest(separator, cancel),
      payer: lower(cancel.payer),
      token: lower(cancel.token),
      nonce: `${cancel.nonce}`,
      deadline: `${cancel.deadline}`,
      signature: cancel.signature,
      result: bits[at] === true,
      app: booked === undefined ? null : appOf(facts, booked.appId).tag,
    }
  })
  return { payments, cancels }
}

/** The event holds what was signed but deadline and signature: those are known if the payment is in our books. */
function entriesOfOverdue(facts: AuditFacts, settled: Extract<Settled, { kind: 'overdue' }>): Entries {
  const seen = settled.payments.map((payment, index) => {
    const booked = facts.payments.get(payment.digest)
    return { ...payment, index, result: true, signature: booked?.signature, deadline: booked?.deadline }
  })
  return { payments: numbered(facts, seen), cancels: [] }
}

type SeenPayment = OverduePayment & {
  readonly index: number
  readonly result: boolean
  readonly deadline: bigint | undefined
  readonly signature: Hex | undefined
}

/** Gives the settled payments of each app the numbers that finality set aside for them, in the record's order. */
function numbered(facts: AuditFacts, seen: readonly SeenPayment[]): readonly PaymentEntry[] {
  const counts = new Map<string, number>()
  const entries = seen.map((payment): PaymentEntry => {
    const booked = facts.payments.get(payment.digest)
    const app = booked === undefined ? undefined : appOf(facts, booked.appId)
    let appSequence: string | null = null
    if (booked !== undefined && app !== undefined && payment.result) {
      const before = counts.get(booked.appId) ?? 0
      counts.set(booked.appId, before + 1)
      appSequence = `${app.first + BigInt(before)}`
    }
    return {
      kind: 'payment',
      index: `${payment.index}`,
      digest: payment.digest,
      payer: lower(payment.payer),
      payee: lower(payment.payee),
      token: lower(payment.token),
      amount: `${payment.amount}`,
      nonce: `${payment.nonce}`,
      deadline: payment.deadline === undefined ? null : `${payment.deadline}`,
      orderRef: payment.orderRef,
      signature: payment.signature ?? null,
      result: payment.result,
      orderHash: booked?.orderHash ?? null,
      app: app?.tag ?? null,
      appSequence,
    }
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

function appOf({ apps, sequence }: AuditFacts, appId: string): AuditedApp {
  const app = apps.get(appId)
  if (app === undefined) throw new Error(`record ${sequence} names ${appId}, which has no tag`)
  return app
}

/** One spelling: checksums belong where people read addresses. */
function lower(address: Address): Address {
  return address.toLowerCase() as Address
}
