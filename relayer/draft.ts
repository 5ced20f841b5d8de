import type { Hex } from 'viem'
import type { BatchKind, WaitingCancel, WaitingPayment } from '../core/ports/batching.ts'
import { encodeBatch } from '../core/protocol/packed.ts'
import { encodeChainedBatch } from '../core/protocol/packed-chained.ts'
import { encodePullBatch } from '../core/protocol/packed-pull.ts'

/** What is to share one tx. Chained payments stand payer by payer, in the order of their sequences. */
export type Draft = BatchKind & {
  readonly anchor: Hex
  readonly payments: readonly WaitingPayment[]
  readonly cancels: readonly WaitingCancel[]
}

export type Packed = {
  readonly payload: Hex
  /** Of each payment, in the order of the draft: its bit in the results. Cancels have those after the last one. */
  readonly bits: readonly number[]
  readonly bitCount: number
}

/** @throws RangeError if a field does not fit: accept saw to it that all do. */
export function pack(draft: Draft, scale: bigint): Packed {
  if (draft.mode === 'chained') return packChained(draft, scale)
  if (draft.mode === 'pull') return packPull(draft, scale)
  const { payments, cancels } = draft
  return {
    payload: encodeBatch({ ...draft, scale }),
    bits: payments.map((_, index) => index),
    bitCount: payments.length + cancels.length,
  }
}

/** The chained payments of a draft, a run per payer. */
export function runsIn(payments: readonly WaitingPayment[]): readonly (readonly WaitingPayment[])[] {
  return [...Map.groupBy(payments, ({ payer }) => payer).values()]
}

function packChained({ token, anchor, payments }: Draft, scale: bigint): Packed {
  const runs = runsIn(payments)
  const runOf = new Map(runs.flatMap((run, index) => run.map(({ id }) => [id, index] as const)))
  const payload = encodeChainedBatch({
    ...{ token, scale, anchor },
    runs: runs.flatMap((run) => {
      const last = run.at(-1)
      // Its signature covers all before it.
      return last === undefined ? [] : [{ payer: last.payer, links: run, signature: last.signature }]
    }),
  })
  return { payload, bits: payments.map(({ id }) => runOf.get(id) ?? 0), bitCount: runs.length }
}

function packPull({ token, anchor, payments }: Draft, scale: bigint): Packed {
  const isByAllowance = ({ taking }: WaitingPayment) => taking.mode === 'pull' && taking.means === 'allowance'
  const allowances = payments.filter(isByAllowance)
  const authorizations = payments.filter((payment) => !isByAllowance(payment))
  const permits = payments.flatMap(({ permit }) => permit ?? [])
  const bitOf = new Map([...allowances, ...authorizations].map(({ id }, bit) => [id, bit]))
  return {
    payload: encodePullBatch({ token, scale, anchor, payout: 'netted', permits, allowances, authorizations }),
    bits: payments.map(({ id }) => bitOf.get(id) ?? 0),
    bitCount: payments.length,
  }
}
