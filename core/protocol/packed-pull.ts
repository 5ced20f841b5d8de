import type { Address, Hex } from 'viem'
import { type CompactSignature, isRepresentable } from './packed.ts'
import { baseDeadlineOf, hexOf, packedReader, payeeAt, payeeTable, word } from './packed-field.ts'
import type { PullPayment } from './typed-data.ts'

/**
 * The argument of `settlePull(bytes)`: tightly packed, big-endian, no padding.
 *
 * | part | bytes |
 * |---|---|
 * | version (4) | 1 |
 * | token | 20 |
 * | baseDeadline, unix seconds | 5 |
 * | payeeCount, allowanceCount, authorizationCount | 2 + 2 + 2 |
 * | anchor: audit word, in the batch's event | 32 |
 * | permitCount | 2 |
 * | payout: 0 netted, 1 direct | 1 |
 * | payees: payeeCount × address | 20 each |
 * | permits: r 32, vs 32 (EIP-2098), owner 20, value 32, deadline 32 | 148 each |
 * | payments by allowance, then by authorization: as in `packed.ts` | 106 each |
 *
 * The result bitmap counts payments by allowance first, then by authorization.
 */
const packedPullVersion = 4
export const pullHeaderBytes = 67
const payouts = ['netted', 'direct'] as const

export type SignedPull = PullPayment & { readonly signature: CompactSignature }
/** Lets the settler take `value` of the owner's token. @see EIP-2612 */
export type SignedPermit = {
  readonly owner: Address
  readonly value: bigint
  readonly deadline: bigint
  readonly signature: CompactSignature
}
export type PullBatch = {
  readonly token: Address
  /** Atomic units per packed unit, a power of ten, as the vault has it for the token. */
  readonly scale: bigint
  readonly anchor: Hex
  readonly payout: (typeof payouts)[number]
  readonly permits: readonly SignedPermit[]
  /** Signed as PullPayment. */
  readonly allowances: readonly SignedPull[]
  /** Signed as the token's ReceiveWithAuthorization. */
  readonly authorizations: readonly SignedPull[]
}

/** @throws RangeError if a field does not fit: callers check at accept, so this is a broken promise, not bad input. */
export function encodePullBatch(batch: PullBatch): Hex {
  const payments = [...batch.allowances, ...batch.authorizations]
  const baseDeadline = baseDeadlineOf(payments)
  const { payees, indexOf } = payeeTable(payments)
  const parts = [
    word(packedPullVersion, 1),
    hexOf(batch.token, 20),
    word(baseDeadline, 5),
    word(payees.length, 2),
    word(batch.allowances.length, 2),
    word(batch.authorizations.length, 2),
    hexOf(batch.anchor, 32),
    word(batch.permits.length, 2),
    word(payouts.indexOf(batch.payout), 1),
    ...payees.map((payee) => hexOf(payee, 20)),
  ]
  for (const { signature, owner, value, deadline } of batch.permits) {
    parts.push(hexOf(signature, 64), hexOf(owner, 20), word(value, 32), word(deadline, 32))
  }
  for (const p of payments) {
    if (!isRepresentable(p.amount, batch.scale)) throw new RangeError(`amount ${p.amount} at scale ${batch.scale}`)
    parts.push(
      hexOf(p.signature, 64),
      word(p.amount / batch.scale, 6),
      word(p.nonce, 4),
      word(p.deadline - baseDeadline, 2),
      word(indexOf(p.payee), 2),
      hexOf(p.payer, 20),
      hexOf(p.orderRef, 8),
    )
  }
  return `0x${parts.join('')}`
}

/** Reads a blob back, for auditors and for batches that another sender broadcast. @throws RangeError if malformed. */
export function decodePullBatch(blob: Hex, scale: bigint): Omit<PullBatch, 'scale'> {
  const read = packedReader(blob)
  const version = read.number(1)
  if (version !== BigInt(packedPullVersion))
    throw new RangeError(`packed version ${version}, this is ${packedPullVersion}`)
  const token = read.address()
  const baseDeadline = read.number(5)
  const payeeCount = Number(read.number(2))
  const allowanceCount = Number(read.number(2))
  const authorizationCount = Number(read.number(2))
  const anchor = read.bytes(32)
  const permitCount = Number(read.number(2))
  const payout = payouts[Number(read.number(1))]
  if (payout === undefined) throw new RangeError(`payout is ${payouts.join(' or ')}`)
  const payees = Array.from({ length: payeeCount }, read.address)
  const permits = Array.from({ length: permitCount }, (): SignedPermit => {
    const signature = read.bytes(64)
    return { signature, owner: read.address(), value: read.number(32), deadline: read.number(32) }
  })
  const payment = (): SignedPull => {
    const signature = read.bytes(64)
    const amount = read.number(6) * scale
    const nonce = read.number(4)
    const deadline = baseDeadline + read.number(2)
    const payee = payeeAt(payees, Number(read.number(2)))
    return { signature, amount, nonce, deadline, payee, payer: read.address(), orderRef: read.bytes(8), token }
  }
  const allowances = Array.from({ length: allowanceCount }, payment)
  const authorizations = Array.from({ length: authorizationCount }, payment)
  read.end()
  return { token, anchor, payout, permits, allowances, authorizations }
}
