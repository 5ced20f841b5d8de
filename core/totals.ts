import type { Address } from 'viem'
import type { LedgerEntry } from './ledger.ts'
import type { LedgerFacts, RangeFacts } from './range-facts.ts'

/** Control totals of one token over one range, as each source adds up for itself. Amounts in atomic units. */
export type TokenTotals = {
  readonly token: Address
  readonly chain: {
    readonly deposits: bigint
    readonly withdrawals: bigint
    readonly settled: bigint
    readonly settledCount: number
    /** Of the settled: what the vault kept for its payees. The rest was paid out. */
    readonly credited: bigint
    readonly claimed: bigint
    /** At the end of the range, by the vault's events since it began: deposits − withdrawals − payouts. */
    readonly held: bigint
    /** At the end of the range, by the token's own word. */
    readonly holdings: bigint
  }
  readonly ledger: {
    readonly deposits: bigint
    readonly withdrawals: bigint
    readonly posted: bigint
    readonly postedCount: number
    /** Payouts of settlements and of claims. */
    readonly payouts: bigint
    /** Balance of the account `vault` at the end of the range. */
    readonly vault: bigint
  }
  readonly intents: {
    readonly finalized: bigint
    readonly finalizedCount: number
    /** Settled on chain for our relayer id without ever being submitted to us. */
    readonly foreign: bigint
    readonly foreignCount: number
  }
}

export function totalsOf({ tokens, heldBefore, chain, ledger, intents }: RangeFacts): readonly TokenTotals[] {
  const balances = runningBalances(ledger)
  const known = new Set(intents.known.map(({ digest }) => digest))
  return tokens.map((token) => {
    const ofToken = <Each extends { readonly token: Address }>(all: readonly Each[]) =>
      all.filter((each) => each.token === token)
    const moved = (name: string): bigint => sumOf(ofToken(chain.moves).filter((move) => move.name === name))
    const booked = (kind: LedgerEntry['kind']): bigint =>
      sumOf(
        ofToken(ledger.lines)
          .filter((line) => line.kind === kind)
          .map((line) => ({ amount: debitsOf(line) })),
      )
    const settled = ofToken(chain.payments)
    const foreign = settled.filter(({ digest }) => !known.has(digest))
    const finalized = ofToken(intents.finalized)
    const [deposits, withdrawals, claimed] = [moved('deposit'), moved('withdrawal'), moved('claim')]
    const credited = sumOf(ofToken(chain.credits))
    const paidOut = sumOf(settled) - credited + claimed
    return {
      token,
      chain: {
        ...{ deposits, withdrawals, settled: sumOf(settled), settledCount: settled.length, credited, claimed },
        held: (heldBefore.get(token) ?? 0n) + deposits - withdrawals - paidOut,
        holdings: sumOf(ofToken(chain.holdings)),
      },
      ledger: {
        deposits: booked('deposit'),
        withdrawals: booked('withdrawal'),
        posted: booked('posted'),
        postedCount: ofToken(ledger.lines).filter(({ kind }) => kind === 'posted').length,
        payouts: booked('payout'),
        vault: balances.get(balanceKey(token, 'vault')) ?? 0n,
      },
      intents: {
        ...{ finalized: sumOf(finalized), finalizedCount: finalized.length },
        ...{ foreign: sumOf(foreign), foreignCount: foreign.length },
      },
    }
  })
}

/** A balance's key: token and account. */
export const balanceKey = (token: Address, account: string): string => `${token} ${account}`

/** Ledger balances at the end of the range, of all accounts that it moved or that were given before it. */
export function runningBalances({ lines, balancesBefore }: LedgerFacts): ReadonlyMap<string, bigint> {
  const balances = new Map(balancesBefore.map(({ token, account, amount }) => [balanceKey(token, account), amount]))
  for (const { token, account, amount } of movementsOf(lines)) {
    const key = balanceKey(token, account)
    balances.set(key, (balances.get(key) ?? 0n) + amount)
  }
  return balances
}

/** By how much the lines move each account of each token. */
export function movementsOf(lines: LedgerFacts['lines']): LedgerFacts['balancesBefore'] {
  const sums = new Map<string, LedgerFacts['balancesBefore'][number]>()
  for (const { token, postings } of lines) {
    for (const { account, amount } of postings) {
      const key = balanceKey(token, account)
      sums.set(key, { token, account, amount: (sums.get(key)?.amount ?? 0n) + amount })
    }
  }
  return [...sums.values()]
}

const sumOf = (all: readonly { readonly amount: bigint }[]): bigint => all.reduce((sum, { amount }) => sum + amount, 0n)

const debitsOf = ({ postings }: LedgerEntry): bigint => sumOf(postings.filter(({ amount }) => amount > 0n))
