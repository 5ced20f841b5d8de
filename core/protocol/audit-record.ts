import canonicalize from 'canonicalize'
import { concat, type Hex, keccak256, sha256, stringToBytes, stringToHex, toHex } from 'viem'
import { z } from 'zod'
import { merkleRoot } from './merkle.ts'
import { means } from './taking.ts'

/**
 * What ICE publishes for ever about one settling tx. Public and permanent, so it holds commitments instead of names: no
 * AppID, reference, URL or id of a payment. All integers are decimal strings and all hex is lower case, so that a
 * value has one spelling; `docs/audit-record.md` explains each field.
 */
const uint = z.string().regex(/^(0|[1-9][0-9]{0,77})$/)
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${bytes * 2}}$`))
const anyHex = z.string().regex(/^0x([0-9a-f]{2})*$/)
const [address, hash] = [hex(20), hex(32)]

const entry = {
  /** Position of its result bit: payments first, then cancels. All payments of a chained run have the same. */
  index: uint,
  payer: address,
  token: address,
  /** EIP-2098. */
  signature: hex(64).nullable(),
  /** Its bit in the vault's results: whether it took effect. */
  result: z.boolean(),
  /** keccak256(salt ‖ AppID): constant per app. Null if no app of ours submitted it. */
  app: hash.nullable(),
}
/** EIP-712 digest of what the payer signed. */
const signed = { digest: hash, nonce: uint }
const payment = {
  ...entry,
  payee: address,
  amount: uint,
  deadline: uint.nullable(),
  orderRef: hex(8),
  /** keccak256(order id ‖ salt ‖ reference); null without an order. */
  orderHash: hash.nullable(),
  /** Of the app's settled payments in this vault: 1, 2, 3, … Null if it did not settle or has no app. */
  appSequence: uint.nullable(),
}
const paymentEntry = z.discriminatedUnion('kind', [
  /** Out of an independent account. */
  z.strictObject({ kind: z.literal('payment'), ...payment, ...signed }),
  /**
   * Out of a chained account. Which sequence a refused run was signed for, the chain does not say: then these three are null.
   */
  z.strictObject({
    kind: z.literal('chained'),
    ...payment,
    digest: hash.nullable(),
    sequence: uint.nullable(),
    /** Link of the payment before. */
    previous: hex(16).nullable(),
  }),
  /** Out of the payer's wallet. By authorization the signature is over the token's ReceiveWithAuthorization, whose nonce is the digest. */
  z.strictObject({ kind: z.literal('pull'), ...payment, ...signed, means: z.enum(means) }),
])
/** Not which payment it ended: that never reached the chain, and its terms could be guessed from its digest. */
const cancelEntry = z.strictObject({
  kind: z.literal('cancel'),
  ...entry,
  ...signed,
  deadline: uint,
})

export const auditRecordSchema = z.strictObject({
  schema: z.literal('ice.audit-record/1'),
  chainId: uint,
  /** The contract that settled: the vault, or the pull settler. */
  vault: address,
  relayerId: uint,
  /** 1, 2, 3, … per vault. */
  sequence: uint,
  /** SHA-256 of the bytes of the record before; zero for the first. */
  previous: hash,
  /** Null if the tx settled promised payments one by one, by `settleOverdue`. */
  batch: z
    .strictObject({
      /** Null if it was not sent from these books. */
      id: z
        .string()
        .regex(/^sb_[0-7][0-9a-hjkmnp-tv-z]{25}$/)
        .nullable(),
      token: address,
      scale: uint,
      anchor: hash,
      /** What the anchor commits to: keccak256(head ‖ batch id in UTF-8) is the anchor. `head`: record `sequence`. */
      opening: z.strictObject({ sequence: uint, head: hash }).nullable(),
      /** keccak256 of the argument of `settle(bytes)`, `settleChained(bytes)` or `settlePull(bytes)`. */
      payloadHash: hash,
      /** The bitmap of the event. */
      results: anyHex,
    })
    .nullable(),
  tx: z.strictObject({
    hash,
    blockNumber: uint,
    blockHash: hash,
    /** Unix seconds. */
    blockTime: uint,
    status: uint,
    gasUsed: uint,
    effectiveGasPriceWei: uint,
    /** All that the vault logged in this tx. */
    logs: z.array(z.strictObject({ logIndex: uint, topics: z.array(hash), data: anyHex })),
  }),
  payments: z.array(paymentEntry),
  cancels: z.array(cancelEntry),
  merkle: z.strictObject({ root: hash, leaves: z.array(hash).min(1) }),
})

export type AuditRecord = z.output<typeof auditRecordSchema>
export type PaymentEntry = AuditRecord['payments'][number]
export type CancelEntry = AuditRecord['cancels'][number]

/** RFC 8785: what is hashed, numbered and archived. */
export function auditBytes(record: AuditRecord): Uint8Array {
  return canonicalBytes(record)
}

export function auditHash(bytes: Uint8Array): Hex {
  return toHex(sha256(bytes, 'bytes'))
}

/** Longer than the 64 bytes of an inner node and with a prefix of its own, so no leaf can pass for one. */
const leafPrefix = stringToHex('ice.audit-entry/1\n')

export function auditLeaf(entry: PaymentEntry | CancelEntry): Hex {
  return keccak256(concat([leafPrefix, toHex(canonicalBytes(entry))]))
}

/** Leaves in the order of the entries, and their root. @throws RangeError without entries: such a tx has no record. */
export function auditTree(entries: readonly (PaymentEntry | CancelEntry)[]): AuditRecord['merkle'] {
  const leaves = entries.map(auditLeaf)
  return { root: merkleRoot(leaves), leaves }
}

/**
 * The anchor of a batch commits to all records before it: whoever rewrites one of them must find another preimage of a
 * word that stands on chain. Unique, because the batch id is.
 */
export function anchorOf({ head, batchId }: { head: Hex; batchId: string }): Hex {
  return keccak256(concat([head, stringToHex(batchId)]))
}

/** What an app is called in public. @param salt 16 bytes, kept by ICE, one per app for ever */
export function appTagOf({ salt, appId }: { salt: Hex; appId: string }): Hex {
  return keccak256(concat([salt, stringToHex(appId)]))
}

/** @throws TypeError for what JSON cannot say: our records hold only text, booleans, null, lists and objects. */
function canonicalBytes(value: object): Uint8Array {
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('a value without canonical form')
  return stringToBytes(text)
}
