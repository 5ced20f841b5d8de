import { type Address, type Hex, hexToBytes } from 'viem'
import { baseDeadlineOf, hexOf, packedReader, payeeAt, payeeTable, word } from './packed-field.ts'
import type { Cancel, Payment } from './typed-data.ts'

/**
 * The argument of `settle(bytes)`: tightly packed, big-endian, no padding.
 *
 * | part | bytes |
 * |---|---|
 * | version (1) | 1 |
 * | token | 20 |
 * | baseDeadline, unix seconds | 5 |
 * | payeeCount, paymentCount, cancelCount | 2 + 2 + 2 |
 * | anchor: audit word, in the batch's event | 32 |
 * | payees: payeeCount × address | 20 each |
 * | payments: r 32, vs 32 (EIP-2098), amount 6 (× the token's scale), nonce 4, deadline − baseDeadline 2, payee index 2, payer 20, orderRef 8 | 106 each |
 * | cancels: r 32, vs 32, nonce 4, deadline − baseDeadline 2, payer 20 | 90 each |
 *
 * The result bitmap counts payments first, then cancels; bit i is byte i / 8, value 1 << (i % 8), set if it took effect.
 */
const packedVersion = 1
export const headerBytes = 64
export const payeeBytes = 20
export const paymentBytes = 106
export const cancelBytes = 90

/** Largest packed amount, before the token's scale: 6 bytes. */
const packedAmountMax = 2n ** 48n - 1n
export const intentNonceMax = 2n ** 32n - 1n
export const recordCountMax = 65_535

/** 64 bytes, EIP-2098: the y parity rides in the highest bit of s. */
export type CompactSignature = Hex

export type SignedPayment = Payment & { readonly signature: CompactSignature }
export type SignedCancel = Cancel & { readonly signature: CompactSignature }
export type Batch = {
  readonly token: Address
  /** Atomic units per packed unit, a power of ten: 1 for USDC, 10^12 for 18-decimal tokens. */
  readonly scale: bigint
  readonly anchor: Hex
  readonly payments: readonly SignedPayment[]
  readonly cancels: readonly SignedCancel[]
}

/** True if `amount` fits a packed record of a token with this scale exactly. */
export function isRepresentable(amount: bigint, scale: bigint): boolean {
  return amount > 0n && amount % scale === 0n && amount / scale <= packedAmountMax
}

/** @throws RangeError if a field does not fit: callers check at accept, so this is a broken promise, not bad input. */
export function encodeBatch(batch: Batch): Hex {
  const baseDeadline = baseDeadlineOf([...batch.payments, ...batch.cancels])
  const { payees, indexOf } = payeeTable(batch.payments)

  const parts = [
    word(packedVersion, 1),
    hexOf(batch.token, 20),
    word(baseDeadline, 5),
    word(payees.length, 2),
    word(batch.payments.length, 2),
    word(batch.cancels.length, 2),
    hexOf(batch.anchor, 32),
    ...payees.map((payee) => hexOf(payee, 20)),
  ]
  for (const p of batch.payments) {
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
  for (const c of batch.cancels) {
    parts.push(hexOf(c.signature, 64), word(c.nonce, 4), word(c.deadline - baseDeadline, 2), hexOf(c.payer, 20))
  }
  return `0x${parts.join('')}`
}

export type DecodedBatch = Omit<Batch, 'scale'>

/** Reads a blob back, for auditors and for batches that another sender broadcast. @throws RangeError if malformed. */
export function decodeBatch(blob: Hex, scale: bigint): DecodedBatch {
  const read = packedReader(blob)
  const version = read.number(1)
  if (version !== BigInt(packedVersion)) throw new RangeError(`packed version ${version}, this is ${packedVersion}`)
  const token = read.address()
  const baseDeadline = read.number(5)
  const payeeCount = Number(read.number(2))
  const paymentCount = Number(read.number(2))
  const cancelCount = Number(read.number(2))
  const anchor = read.bytes(32)
  const payees = Array.from({ length: payeeCount }, read.address)

  const payments = Array.from({ length: paymentCount }, (): SignedPayment => {
    const signature = read.bytes(64)
    const amount = read.number(6) * scale
    const nonce = read.number(4)
    const deadline = baseDeadline + read.number(2)
    const payee = payeeAt(payees, Number(read.number(2)))
    return { signature, amount, nonce, deadline, payee, payer: read.address(), orderRef: read.bytes(8), token }
  })
  const cancels = Array.from({ length: cancelCount }, (): SignedCancel => {
    const signature = read.bytes(64)
    return { signature, nonce: read.number(4), deadline: baseDeadline + read.number(2), payer: read.address(), token }
  })
  read.end()
  return { token, anchor, payments, cancels }
}

/** One boolean per record, payments first, then cancels. @throws RangeError if the bitmap is too short. */
export function decodeResults(bitmap: Hex, count: number): readonly boolean[] {
  const bytes = hexToBytes(bitmap)
  return Array.from({ length: count }, (_, i) => {
    const byte = bytes[i >> 3]
    if (byte === undefined) throw new RangeError(`bitmap of ${bytes.length} bytes for ${count} records`)
    return ((byte >> (i & 7)) & 1) === 1
  })
}
