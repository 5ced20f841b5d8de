import type { Address, Hex } from 'viem'
import type { Settlement } from '../../core/range-facts.ts'
import type { TokenTotals } from '../../core/totals.ts'

type Text<Value> = Value extends bigint
  ? string
  : Value extends object
    ? { readonly [Name in keyof Value]: Text<Value[Name]> }
    : Value

/** As a row holds them: amounts are decimal text, because JSON numbers lose digits. */
export type TotalsJson = Omit<Text<Omit<TokenTotals, 'token'>>, 'token'> & { readonly token: Address }
export type SettlementJson = {
  readonly txHash: Hex
  readonly token: Address
  readonly count: number
  readonly amount: string
}

export function jsonOf(value: object): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}` : each))
}

export function totalsOfJson({ token, chain, ledger, intents }: TotalsJson): TokenTotals {
  return {
    token,
    chain: {
      deposits: BigInt(chain.deposits),
      withdrawals: BigInt(chain.withdrawals),
      settled: BigInt(chain.settled),
      settledCount: chain.settledCount,
      credited: BigInt(chain.credited),
      claimed: BigInt(chain.claimed),
      held: BigInt(chain.held),
      holdings: BigInt(chain.holdings),
    },
    ledger: {
      deposits: BigInt(ledger.deposits),
      withdrawals: BigInt(ledger.withdrawals),
      posted: BigInt(ledger.posted),
      postedCount: ledger.postedCount,
      payouts: BigInt(ledger.payouts),
      vault: BigInt(ledger.vault),
    },
    intents: {
      finalized: BigInt(intents.finalized),
      finalizedCount: intents.finalizedCount,
      foreign: BigInt(intents.foreign),
      foreignCount: intents.foreignCount,
    },
  }
}

export function settlementOf({ txHash, token, count, amount }: SettlementJson): Settlement {
  return { txHash, token, count, amount: BigInt(amount) }
}
