import type { Hex } from 'viem'
import { intentNonceMax } from './protocol/packed.ts'
import type { Taking } from './protocol/taking.ts'

/**
 * The contract's word on one (payer, token, mode), read at one block. Amounts in atomic units. In mode `pull` the balance is
 * what the payer's own wallet holds, and every relayer of the vault may settle from it.
 */
export type AccountState = {
  readonly balance: bigint
  readonly topNonce: bigint
  /** Bit k: nonce `topNonce − k` is used. 64 bits. */
  readonly nonceWindow: bigint
  /** 0: bound to no relayer, so nothing can settle from it. */
  readonly relayerId: number
  readonly withdrawAmount: bigint
  /** The owner asked for another relayer: no new promises on this account. */
  readonly isRebinding: boolean
  /** Chained accounts only: the link of payment `topNonce`, 16 bytes. Of them every nonce up to `topNonce` is used. */
  readonly head?: Hex
  /** Wallets only: how much of the balance the pull settler may take by allowance. */
  readonly allowance?: bigint
}

/** The sliding window's width, and how far one record may move it. @see contracts/Vault.sol */
export const nonceWindowMax = 64n

/** True if the chain has already spent `nonce`, or has moved so far past it that it counts as spent. */
export function isNonceSpent({ topNonce, nonceWindow }: AccountState, nonce: bigint): boolean {
  if (nonce > topNonce) return false
  const age = topNonce - nonce
  return age >= nonceWindowMax || ((nonceWindow >> age) & 1n) === 1n
}

export type NonceVerdict = 'ok' | 'spent' | 'taken' | 'too_far'

/**
 * Whether a payment with `nonce` can settle in any order with the `open` ones: no open payment may push another out of
 * the window, so open nonces, the candidate and the chain's top lie within one window.
 */
export function judgeNonce(account: AccountState, open: readonly bigint[], nonce: bigint): NonceVerdict {
  if (isNonceSpent(account, nonce)) return 'spent'
  if (nonce > intentNonceMax) return 'too_far'
  if (open.includes(nonce)) return 'taken'
  if (nonce > account.topNonce + nonceWindowMax) return 'too_far'
  let high = nonce > account.topNonce ? nonce : account.topNonce
  let low = nonce
  for (const other of open) {
    if (other > high) high = other
    if (other < low) low = other
  }
  return high - low < nonceWindowMax ? 'ok' : 'too_far'
}

/** The next nonce to hand out: past everything known, else the lowest free gap. Undefined: the window is full. */
export function nextNonce(account: AccountState, open: readonly bigint[]): bigint | undefined {
  const isFresh = account.topNonce === 0n && account.nonceWindow === 0n
  const top = open.reduce((high, nonce) => (nonce > high ? nonce : high), isFresh ? -1n : account.topNonce)
  if (judgeNonce(account, open, top + 1n) === 'ok') return top + 1n
  const lowest = top + 1n > 2n * nonceWindowMax ? top + 1n - 2n * nonceWindowMax : 0n
  for (let nonce = lowest; nonce <= top; nonce++) {
    if (judgeNonce(account, open, nonce) === 'ok') return nonce
  }
  return undefined
}

/** What a new payment may draw on: finalized balance, less what is leaving and what is promised. Never below zero. */
export function availableFloor(
  { balance, allowance = 0n, withdrawAmount }: AccountState,
  reserved: bigint,
  taking: Taking = { mode: 'independent' },
): bigint {
  const isCapped = taking.mode === 'pull' && taking.means === 'allowance' && allowance < balance
  const rest = (isCapped ? allowance : balance) - withdrawAmount - reserved
  return rest > 0n ? rest : 0n
}
