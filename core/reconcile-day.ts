import type { Address } from 'viem'
import type { Agreement, Difference } from './break.ts'
import type { IntentFacts } from './range-facts.ts'
import { compareReservations } from './reconcile.ts'
import type { TokenTotals } from './totals.ts'

/** What one range of the day found when it was reconciled. */
export type RangeOfDay = {
  readonly fromBlock: bigint
  readonly toBlock: bigint
  readonly totals: readonly TokenTotals[]
}

/** Sums of the whole day as the database adds them up now. */
export type DaySums = {
  readonly token: Address
  readonly deposits: bigint
  readonly withdrawals: bigint
  readonly posted: bigint
  readonly postedCount: number
  readonly payouts: bigint
  readonly finalized: bigint
  readonly finalizedCount: number
}

export type DayFacts = {
  /** As people name it, in UTC: 2026-11-23. */
  readonly day: string
  readonly tokens: readonly Address[]
  /** Where the last range before the day ended; undefined if there was none. */
  readonly formerToBlock: bigint | undefined
  /** In their order. */
  readonly ranges: readonly RangeOfDay[]
  readonly sums: readonly DaySums[]
  /** Of accounts that nothing on chain touched, too. */
  readonly reservations: IntentFacts['reservations']
}

/**
 * Closes a UTC day that is over and final: its ranges follow each other and the day before without a gap, and ledger and intents still add
 * up to what the ranges compared with the chain, so that nothing was written into the past since. Reservations of all
 * accounts are compared once more: those that end without a tx (expired, rejected) touch nothing on chain.
 */
export function reconcileDay({ day, tokens, formerToBlock, ranges, sums, reservations }: DayFacts): {
  readonly totals: readonly TokenTotals[]
  readonly differences: readonly Difference[]
  readonly agreements: readonly Agreement[]
} {
  const totals = tokens.map((token) => addUp(token, ranges))
  const level = compareReservations({ reservations })
  return {
    totals,
    differences: [
      ...findGaps(day, formerToBlock, ranges),
      ...totals.flatMap((total) =>
        findChanges(
          day,
          total,
          sums.find(({ token }) => token === total.token),
        ),
      ),
      ...level.flatMap((each) => ('value' in each ? [] : [each])),
    ],
    agreements: level.flatMap((each) => ('value' in each ? [each] : [])),
  }
}

function findGaps(
  day: string,
  formerToBlock: bigint | undefined,
  ranges: readonly RangeOfDay[],
): readonly Difference[] {
  const ends = [formerToBlock, ...ranges.map(({ toBlock }) => toBlock)]
  return ranges.flatMap(({ fromBlock }, index): readonly Difference[] => {
    const before = ends[index]
    if (before === undefined || before === fromBlock) return []
    const sides = { expected: `${before}`, actual: `${fromBlock}` }
    return [{ kind: 'gap', subject: `${day} after block ${before}`, token: undefined, ...sides }]
  })
}

const nothing = {
  deposits: 0n,
  withdrawals: 0n,
  posted: 0n,
  postedCount: 0,
  payouts: 0n,
  finalized: 0n,
  finalizedCount: 0,
}

function findChanges(
  day: string,
  { token, ledger, intents }: TokenTotals,
  now: DaySums | undefined,
): readonly Difference[] {
  const then: Readonly<Record<string, bigint | number>> = { ...ledger, ...intents }
  return Object.keys(nothing).flatMap((name): readonly Difference[] => {
    const [expected, actual] = [`${then[name]}`, `${(now ?? nothing)[name as keyof typeof nothing]}`]
    return expected === actual ? [] : [{ kind: 'changed', subject: `${day} ${name}`, token, expected, actual }]
  })
}

/** Flows are added; what stands at the end of a range is taken from the last one. */
function addUp(token: Address, ranges: readonly RangeOfDay[]): TokenTotals {
  const all = ranges.flatMap(({ totals }) => totals.filter((total) => total.token === token))
  const last = all.at(-1)
  const sum = (pick: (total: TokenTotals) => bigint): bigint => all.reduce((total, each) => total + pick(each), 0n)
  const count = (pick: (total: TokenTotals) => number): number => all.reduce((total, each) => total + pick(each), 0)
  return {
    token,
    chain: {
      deposits: sum(({ chain }) => chain.deposits),
      withdrawals: sum(({ chain }) => chain.withdrawals),
      settled: sum(({ chain }) => chain.settled),
      settledCount: count(({ chain }) => chain.settledCount),
      credited: sum(({ chain }) => chain.credited),
      claimed: sum(({ chain }) => chain.claimed),
      held: last?.chain.held ?? 0n,
      holdings: last?.chain.holdings ?? 0n,
    },
    ledger: {
      deposits: sum(({ ledger }) => ledger.deposits),
      withdrawals: sum(({ ledger }) => ledger.withdrawals),
      posted: sum(({ ledger }) => ledger.posted),
      postedCount: count(({ ledger }) => ledger.postedCount),
      payouts: sum(({ ledger }) => ledger.payouts),
      vault: last?.ledger.vault ?? 0n,
    },
    intents: {
      finalized: sum(({ intents }) => intents.finalized),
      finalizedCount: count(({ intents }) => intents.finalizedCount),
      foreign: sum(({ intents }) => intents.foreign),
      foreignCount: count(({ intents }) => intents.foreignCount),
    },
  }
}
