import type { Address, Hex } from 'viem'
import type { HDAccount } from 'viem/accounts'
import { formatAtomic } from '../../core/money.ts'
import type { Client } from '../local/client.ts'
import type { LocalToken } from '../local/deploy.ts'
import type { System } from '../local/system.ts'

/** What the steps of the story share. */
export type Scene = {
  readonly system: System
  /** TokenPocket's backend, which submits, and the merchants' backend, which registers orders. */
  readonly wallet: Client
  readonly merchant: Client
  readonly token: LocalToken
  readonly show: (amount: bigint) => string
}

export type Payer = { readonly account: HDAccount; readonly deposited: bigint }
export type Planned = {
  readonly payer: HDAccount
  readonly payee: Address
  readonly amount: bigint
  readonly orderId: string
  /** What is wrong with it on purpose, as the code it must be refused with. */
  readonly flaw: 'signature_mismatch' | 'insufficient_balance' | undefined
}
export type Signed = Planned & { readonly intent: object; readonly signature: Hex }
export type Acknowledged = Signed & { readonly id: string }

export function showIn(token: LocalToken): (amount: bigint) => string {
  return (amount) => `${formatAtomic(amount, token.decimals)} ${token.symbol}`
}

/** The middle and the 99th of a hundred. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}
