import { type Address, checksumAddress, type Hex } from 'viem'
import { decodeBatch, type SignedCancel } from './packed.ts'
import { chainedLink, decodeChainedBatch, type Run } from './packed-chained.ts'
import { decodePullBatch } from './packed-pull.ts'
import { modeOfPayload } from './settle-calldata.ts'
import type { Mode, Taking } from './taking.ts'
import type { Payment } from './typed-data.ts'

/** One payment of a packed batch. Addresses in EIP-55. */
export type PackedPayment = {
  readonly payment: Payment
  readonly taking: Taking
  /** 64 bytes; undefined for a chained payment whose successor's signature stands for it. */
  readonly signature: Hex | undefined
  /** False in a refused run: which sequences its payer signed, its packed form does not say. */
  readonly isPlaced: boolean
  /** Its bit in the results: all payments of a run share one. */
  readonly bit: number
}

/** Where a chained account stood before a run of it: its sequence and the link of that payment. */
export type ChainStart = { readonly sequence: bigint; readonly head: Hex }

/** For a refused run, whose payments have no place. */
const nowhere: ChainStart = { sequence: 0n, head: `0x${'00'.repeat(16)}` }

/** What a packed batch alone does not tell. */
export type KnownOfBatch = {
  /** Asked for each of `chainedPayers`: where their accounts stood. Those whose runs were all refused need not be known. */
  readonly startOf: (payer: Address) => ChainStart | undefined
  /** Whether a bit is set in the results: a refused run moves its account on by nothing. */
  readonly isSettled: (bit: number) => boolean
}

export type DecodedSettlement = {
  readonly mode: Mode
  readonly token: Address
  readonly anchor: Hex
  /** Payers of a chained batch: what their payments are called depends on where their accounts stood. */
  readonly chainedPayers: readonly Address[]
  /** @throws RangeError if `startOf` does not know the payer of a run that settled */
  readonly payments: (known: KnownOfBatch) => readonly PackedPayment[]
  readonly cancels: readonly (SignedCancel & { readonly bit: number })[]
  readonly bitCount: number
}

/** Reads a packed batch of any mode back. @throws RangeError if it is malformed */
export function decodeSettlement(payload: Hex, scale: bigint): DecodedSettlement {
  const mode = modeOfPayload(payload)
  if (mode === 'chained') return ofChained(payload, scale)
  return mode === 'pull' ? ofPull(payload, scale) : ofIndependent(payload, scale)
}

function ofIndependent(payload: Hex, scale: bigint): DecodedSettlement {
  const { token, anchor, payments, cancels } = decodeBatch(payload, scale)
  return {
    ...{ mode: 'independent', token, anchor, chainedPayers: [] },
    payments: () =>
      payments.map(({ signature, ...payment }, bit) => ({
        ...{ payment: checksummed(payment), taking: { mode: 'independent' }, signature, isPlaced: true, bit },
      })),
    cancels: cancels.map((cancel, index) => ({ ...cancel, bit: payments.length + index })),
    bitCount: payments.length + cancels.length,
  }
}

function ofPull(payload: Hex, scale: bigint): DecodedSettlement {
  const { token, anchor, allowances, authorizations } = decodePullBatch(payload, scale)
  return {
    ...{ mode: 'pull', token, anchor, chainedPayers: [], cancels: [] },
    payments: () =>
      [...allowances, ...authorizations].map(({ signature, ...payment }, bit) => ({
        payment: checksummed(payment),
        taking: { mode: 'pull', means: bit < allowances.length ? 'allowance' : 'authorization' },
        ...{ signature, isPlaced: true, bit },
      })),
    bitCount: allowances.length + authorizations.length,
  }
}

function ofChained(payload: Hex, scale: bigint): DecodedSettlement {
  const { token, anchor, runs } = decodeChainedBatch(payload, scale)
  return {
    ...{ mode: 'chained', token, anchor, cancels: [] },
    chainedPayers: [...new Set(runs.map(({ payer }) => checksumAddress(payer)))],
    payments: ({ startOf, isSettled }) => {
      // A payer may have several runs in one batch: each continues the one before.
      const reached = new Map<Address, ChainStart>()
      return runs.flatMap((run, bit) => {
        const payer = checksumAddress(run.payer)
        const start = reached.get(payer) ?? startOf(payer) ?? (isSettled(bit) ? undefined : nowhere)
        if (start === undefined) throw new RangeError(`where the account of ${payer} stood is not known`)
        const { payments, end } = ofRun(run, { token, payer, bit, scale, start, isPlaced: isSettled(bit) })
        if (isSettled(bit)) reached.set(payer, end)
        return payments
      })
    },
    bitCount: runs.length,
  }
}

function ofRun(
  { links, signature }: Run,
  {
    token,
    payer,
    bit,
    scale,
    start,
    isPlaced,
  }: { token: Address; payer: Address; bit: number; scale: bigint; start: ChainStart; isPlaced: boolean },
): { readonly payments: readonly PackedPayment[]; readonly end: ChainStart } {
  let { sequence, head: previous } = start
  const payments = links.map((link, index): PackedPayment => {
    sequence += 1n
    const payment = checksummed({ ...link, payer, token, nonce: sequence })
    const taking: Taking = { mode: 'chained', previous }
    // A refused run may hold what no payer can sign, such as an amount of zero: it has no links, and nothing continues it.
    if (isPlaced) previous = chainedLink(link, previous, scale)
    return { payment, taking, signature: index === links.length - 1 ? signature : undefined, isPlaced, bit }
  })
  return { payments, end: { sequence, head: previous } }
}

function checksummed(payment: Payment): Payment {
  const { payer, payee, token } = payment
  return {
    ...payment,
    payer: checksumAddress(payer),
    payee: checksumAddress(payee),
    token: checksumAddress(token),
  }
}
