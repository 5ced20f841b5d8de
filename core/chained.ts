import type { Hex } from 'viem'
import type { AccountState } from './account.ts'
import { type Refusal, refusal } from './errors.ts'
import { chainedLink, type Link } from './protocol/packed-chained.ts'
import type { ChainStart } from './protocol/settlement.ts'
import type { Payment } from './protocol/typed-data.ts'

/** Of a chained account that has settled nothing. */
export const zeroLink: Hex = `0x${'00'.repeat(16)}`
/** 24 bits. @see contracts/lib/ChainedWord.sol */
export const sequenceMax = 2n ** 24n - 1n

/** The last payment of an account that is open and not being cancelled. */
export type Tail = {
  readonly sequence: bigint
  readonly link: Hex
  readonly isHeld: boolean
  /** Last second at which it may be batched; undefined if it is in a batch. */
  readonly waitsUntil?: bigint | undefined
}

/** What the next payment of a chained account signs. */
export type Next = { readonly sequence: bigint; readonly previous: Hex }

/** A tail that the chain has passed is settled: its account was read after it. */
function openTail({ topNonce }: Pick<AccountState, 'topNonce'>, tail: Tail | undefined): Tail | undefined {
  return tail !== undefined && tail.sequence > topNonce ? tail : undefined
}

/** Why nothing may continue the account's last payment now; undefined if something may. A batch takes nothing past its deadline. */
export function refuseTail(
  account: Pick<AccountState, 'topNonce'>,
  tail: Tail | undefined,
  nowSeconds: number,
): Refusal | undefined {
  const last = openTail(account, tail)
  if (last === undefined) return undefined
  const fields = { sequence: `${last.sequence}` }
  if (last.isHeld) {
    return refusal('previous_held', `payment ${last.sequence} of this account waits for an operator`, fields)
  }
  if (last.waitsUntil === undefined || last.waitsUntil >= BigInt(nowSeconds)) return undefined
  return refusal('previous_expired', `payment ${last.sequence} of this account expired at ${last.waitsUntil}`, fields)
}

export function nextLink(account: Pick<AccountState, 'topNonce' | 'head'>, tail: Tail | undefined): Next {
  const last = openTail(account, tail)
  if (last !== undefined) return { sequence: last.sequence + 1n, previous: last.link }
  return { sequence: account.topNonce + 1n, previous: account.head ?? zeroLink }
}

/** What the payment after this one signs as `previous`. `scale`: of the token. */
export function linkOf(payment: Link, previous: Hex, scale: bigint): Hex {
  return chainedLink(payment, previous, scale)
}

/**
 * Of payments that wait, those that can settle now, as runs: per payer the longest sequence that continues what the chain
 * has. What comes after a payment that is still on its way, or has to wait, waits with it.
 */
export function runsOf<Chained extends Pick<Payment, 'payer' | 'nonce'>>(
  waiting: readonly Chained[],
  starts: ReadonlyMap<string, ChainStart>,
): readonly (readonly Chained[])[] {
  const byPayer = Map.groupBy(waiting, ({ payer }) => payer)
  return [...byPayer].flatMap(([payer, payments]): readonly (readonly Chained[])[] => {
    const start = starts.get(payer)
    if (start === undefined) return []
    const sorted = payments.toSorted((a, b) => (a.nonce < b.nonce ? -1 : 1))
    const gap = sorted.findIndex(({ nonce }, index) => nonce !== start.sequence + BigInt(index) + 1n)
    const run = gap === -1 ? sorted : sorted.slice(0, gap)
    return run.length === 0 ? [] : [run]
  })
}
