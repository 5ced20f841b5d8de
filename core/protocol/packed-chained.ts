import { type Address, type Hex, keccak256, sliceHex } from 'viem'
import { type CompactSignature, isRepresentable } from './packed.ts'
import { baseDeadlineOf, hexOf, packedReader, payeeAt, payeeTable, word } from './packed-field.ts'
import type { ChainedPayment } from './typed-data.ts'

/**
 * The argument of `settleChained(bytes)`: tightly packed, big-endian, no padding.
 *
 * | part | bytes |
 * |---|---|
 * | version (3) | 1 |
 * | token | 20 |
 * | baseDeadline, unix seconds | 5 |
 * | payeeCount, runCount, paymentCount of all runs | 2 + 2 + 2 |
 * | anchor: audit word, in the batch's event | 32 |
 * | payees: payeeCount × address | 20 each |
 * | runs: r 32, vs 32 (EIP-2098), payer 20, count 2, then its payments | 86 each |
 * | payments: deadline − baseDeadline 2, payee index 2, amount 6 (× the token's scale), orderRef 8 | 18 each |
 *
 * The result bitmap has a bit per run: bit i is byte i / 8, value 1 << (i % 8), set if the run took effect.
 */
const packedChainedVersion = 3

/** What one payment of a run says; the rest follows from the run and the account. */
export type Link = Pick<ChainedPayment, 'payee' | 'amount' | 'deadline' | 'orderRef'>
/** Consecutive payments of one payer, and the payer's signature over the last one. Never empty. */
export type Run = { readonly payer: Address; readonly links: readonly Link[]; readonly signature: CompactSignature }
export type ChainedBatch = {
  readonly token: Address
  /** Atomic units per packed unit, a power of ten: 1 for USDC, 10^12 for 18-decimal tokens. */
  readonly scale: bigint
  readonly anchor: Hex
  readonly runs: readonly Run[]
}

/**
 * What the next payment of the account signs as `previous`: the first 16 bytes of
 * keccak256(deadline 5 | payee 20 | amount / scale 6 | orderRef 8 | previous 16).
 * @throws RangeError if a field does not fit
 */
export function chainedLink({ payee, amount, deadline, orderRef }: Link, previous: Hex, scale: bigint): Hex {
  const parts = [
    word(deadline, 5),
    hexOf(payee, 20),
    word(unitsOf(amount, scale), 6),
    hexOf(orderRef, 8),
    hexOf(previous, 16),
  ]
  return sliceHex(keccak256(`0x${parts.join('')}`), 0, 16)
}

/** @throws RangeError if a field does not fit or a run is empty: callers check at accept, so this is a broken promise. */
export function encodeChainedBatch({ token, scale, anchor, runs }: ChainedBatch): Hex {
  const links = runs.flatMap((run) => run.links)
  const baseDeadline = baseDeadlineOf(links)
  const { payees, indexOf } = payeeTable(links)
  const parts = [
    word(packedChainedVersion, 1),
    hexOf(token, 20),
    word(baseDeadline, 5),
    word(payees.length, 2),
    word(runs.length, 2),
    word(links.length, 2),
    hexOf(anchor, 32),
    ...payees.map((payee) => hexOf(payee, 20)),
  ]
  for (const run of runs) {
    if (run.links.length === 0) throw new RangeError(`a run of ${run.payer} without payments`)
    parts.push(hexOf(run.signature, 64), hexOf(run.payer, 20), word(run.links.length, 2))
    for (const { payee, amount, deadline, orderRef } of run.links) {
      parts.push(
        word(deadline - baseDeadline, 2),
        word(indexOf(payee), 2),
        word(unitsOf(amount, scale), 6),
        hexOf(orderRef, 8),
      )
    }
  }
  return `0x${parts.join('')}`
}

/** Reads a blob back, for auditors and for batches that another sender broadcast. @throws RangeError if malformed. */
export function decodeChainedBatch(blob: Hex, scale: bigint): Omit<ChainedBatch, 'scale'> {
  const read = packedReader(blob)
  const version = read.number(1)
  if (version !== BigInt(packedChainedVersion)) {
    throw new RangeError(`packed version ${version}, this is ${packedChainedVersion}`)
  }
  const token = read.address()
  const baseDeadline = read.number(5)
  const payeeCount = Number(read.number(2))
  const runCount = Number(read.number(2))
  const paymentCount = Number(read.number(2))
  const anchor = read.bytes(32)
  const payees = Array.from({ length: payeeCount }, read.address)
  const runs = Array.from({ length: runCount }, (): Run => {
    const signature = read.bytes(64)
    const payer = read.address()
    const count = Number(read.number(2))
    if (count === 0) throw new RangeError(`a run of ${payer} without payments`)
    const links = Array.from({ length: count }, (): Link => {
      const deadline = baseDeadline + read.number(2)
      const payee = payeeAt(payees, Number(read.number(2)))
      return { deadline, payee, amount: read.number(6) * scale, orderRef: read.bytes(8) }
    })
    return { payer, links, signature }
  })
  read.end()
  const counted = runs.reduce((sum, run) => sum + run.links.length, 0)
  if (counted !== paymentCount) throw new RangeError(`${counted} payments in the runs, ${paymentCount} in the header`)
  return { token, anchor, runs }
}

function unitsOf(amount: bigint, scale: bigint): bigint {
  if (!isRepresentable(amount, scale)) throw new RangeError(`amount ${amount} at scale ${scale}`)
  return amount / scale
}
