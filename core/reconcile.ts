import type { Address, Hex } from 'viem'
import type { Agreement, Difference } from './break.ts'
import { deposit, type LedgerEntry, payerAccount, payout, posted, withdrawal } from './ledger.ts'
import { type Fact, pairing } from './pairing.ts'
import type { AccountKey } from './ports/chain.ts'
import type { ChainFacts, ChainPayment, IntentFacts, LedgerLine, RangeFacts } from './range-facts.ts'
import { balanceKey, runningBalances, type TokenTotals, totalsOf } from './totals.ts'

export type Reconciled = {
  readonly totals: readonly TokenTotals[]
  readonly differences: readonly Difference[]
  readonly agreements: readonly Agreement[]
}

/**
 * Compares what chain, ledger and intents say of one range of final blocks. These hold, or are a difference:
 *
 * - each deposit, withdrawal and claim event of the vault is one ledger entry: same account, same amount;
 * - each payment that the vault settled is one `posted` entry, and one finalized intent if it is ours: same payer, payee,
 *   amount and tx. So sums and counts of the three are equal;
 * - per settling tx and payee, what was settled less what was credited is one payout: payouts + credits = settled;
 * - the events of each finalized intent are numbered without a gap and end with `finalized`;
 * - the vault's word on each payer whom the range touched is the payer's balance in the ledger, and what the account
 *   reserves is the sum of the payer's open intents;
 * - per token, the ledger's balance of the vault is deposits − withdrawals − payouts on chain since the vault began, and
 *   what the token says the vault holds is no less (`shortfall`) and no more (`surplus`: sent there by mistake).
 */
export function reconcile(facts: RangeFacts): Reconciled {
  const { chain, ledger, intents } = facts
  const totals = totalsOf(facts)
  const level = [...compareAccounts(facts), ...compareVault(totals), ...compareReservations(intents)]
  return {
    totals,
    differences: [
      ...pairing('deposit', movesOf(chain, 'deposit'), linesOf(ledger.lines, 'deposit')),
      ...pairing('withdrawal', movesOf(chain, 'withdrawal'), linesOf(ledger.lines, 'withdrawal')),
      ...pairing('posted', settledFacts(chain, intents), linesOf(ledger.lines, 'posted')),
      ...pairing('payout', [...payoutFacts(chain), ...movesOf(chain, 'claim')], linesOf(ledger.lines, 'payout')),
      ...compareIntents(chain, intents),
      ...compareEvents(intents),
      ...chain.unread.map(
        ({ txHash, token, relayerId }): Difference => ({
          ...{ kind: 'unread', subject: txHash, token },
          ...{ expected: undefined, actual: `settled for relayer ${relayerId}; its payments cannot be read` },
        }),
      ),
      ...level.flatMap((each) => ('value' in each ? [] : [each])),
    ],
    agreements: level.flatMap((each) => ('value' in each ? [each] : [])),
  }
}

const entryOf = { deposit, withdrawal, claim: payout } as const

function movesOf({ moves }: ChainFacts, name: keyof typeof entryOf): readonly Fact[] {
  return moves
    .filter((move) => move.name === name)
    .map(({ account, mode, amount, token, txHash, logIndex }) => ({
      ...placeOf(name === 'claim' ? 'payout' : name, { intentId: undefined, txHash, logIndex }),
      token,
      text: textOf(entryOf[name]({ payer: account, payee: account, amount, mode }), { token, txHash }),
    }))
}

function linesOf(lines: readonly LedgerLine[], kind: LedgerEntry['kind']): readonly Fact[] {
  return lines
    .filter((line) => line.kind === kind)
    .map((line) => ({ ...placeOf(kind, line), token: line.token, text: textOf(line, line) }))
}

/** Deposits and withdrawals are paired by their event if they have one, payments of ours by their intent, all else by tx. */
function placeOf(
  kind: LedgerEntry['kind'],
  { intentId, txHash, logIndex }: Pick<LedgerLine, 'intentId' | 'txHash' | 'logIndex'>,
): Pick<Fact, 'key' | 'subject'> {
  // What the pull settler took has no event: it is paired by its tx.
  const byEvent = (kind === 'deposit' || kind === 'withdrawal') && logIndex !== undefined
  const key = kind === 'posted' && intentId !== undefined ? intentId : byEvent ? `${txHash}/${logIndex}` : `${txHash}`
  return { key, subject: key }
}

function settledFacts({ payments }: ChainFacts, { known }: IntentFacts): readonly Fact[] {
  const idOf = new Map(known.map(({ digest, id }) => [digest, id]))
  return payments.map((payment) => {
    const place = { intentId: idOf.get(payment.digest), txHash: payment.txHash, logIndex: undefined }
    return { ...placeOf('posted', place), token: payment.token, text: textOf(posted(payment), payment) }
  })
}

/** What each settling tx sent to each payee. Its credits are what the vault kept. */
function payoutFacts({ payments, credits }: ChainFacts): readonly Fact[] {
  const sums = new Map<string, Pick<ChainPayment, 'payee' | 'token' | 'amount' | 'txHash'>>()
  const kept = credits.map((credit) => ({ ...credit, amount: -credit.amount }))
  for (const { txHash, token, payee, amount } of [...payments, ...kept]) {
    const key = `${txHash}:${token}:${payee}`
    sums.set(key, { txHash, token, payee, amount: (sums.get(key)?.amount ?? 0n) + amount })
  }
  return [...sums.values()]
    .filter(({ amount }) => amount !== 0n)
    .map((sum) => ({
      key: sum.txHash,
      subject: sum.txHash,
      token: sum.token,
      text: textOf(payout(sum), sum),
    }))
}

function compareIntents({ payments }: ChainFacts, { known, finalized }: IntentFacts): readonly Difference[] {
  const idOf = new Map([...finalized, ...known].map(({ digest, id }) => [digest, id]))
  const factOf = (payment: ChainPayment): Fact => ({
    key: payment.digest,
    subject: idOf.get(payment.digest) ?? payment.digest,
    token: payment.token,
    text: textOf(posted(payment), payment),
  })
  const ours = new Set(known.map(({ digest }) => digest))
  return pairing('intent', payments.filter(({ digest }) => ours.has(digest)).map(factOf), finalized.map(factOf))
}

function compareEvents({ finalized, events }: IntentFacts): readonly Difference[] {
  const byIntent = new Map(events.map((each) => [each.intentId, each]))
  return finalized.flatMap(({ id, token }): readonly Difference[] => {
    const told = byIntent.get(id)
    const sequences = told?.sequences ?? []
    const isWhole = sequences.length > 0 && sequences.every((sequence, index) => sequence === index + 1)
    if (isWhole && told?.lastState === 'finalized') return []
    const expected = '1, 2, 3, … ending with finalized'
    const actual = told === undefined ? undefined : `${sequences.join(', ')} ending with ${told.lastState}`
    return [{ kind: 'event', subject: id, token, expected, actual }]
  })
}

type Level = Difference | Agreement

function compare(kind: Level['kind'], subject: string, token: Address, expected: bigint, actual: bigint): Level {
  return expected === actual
    ? { kind, subject, token, value: `${actual}` }
    : { kind, subject, token, expected: `${expected}`, actual: `${actual}` }
}

function compareAccounts({ chain, ledger }: RangeFacts): readonly Level[] {
  const balances = runningBalances(ledger)
  return chain.accounts.map(({ payer, token, mode, balance }) => {
    const booked = -(balances.get(balanceKey(token, payerAccount(payer, mode))) ?? 0n)
    return compare('account', subjectOf({ payer, mode }), token, balance, booked)
  })
}

function compareVault(totals: readonly TokenTotals[]): readonly Level[] {
  return totals.flatMap(({ token, chain: { held, holdings }, ledger: { vault } }) => [
    compare('vault', 'vault', token, held, vault),
    compare('surplus', 'vault', token, held, holdings > held ? holdings : held),
    compare('shortfall', 'vault', token, held, holdings < held ? holdings : held),
  ])
}

export function compareReservations({ reservations }: Pick<IntentFacts, 'reservations'>): readonly Level[] {
  return reservations.map(({ payer, token, mode, reserved, open }) =>
    compare('reservation', subjectOf({ payer, mode }), token, open, reserved),
  )
}

/** A payer may have two accounts of one token in the vault. */
export function subjectOf({ payer, mode }: Pick<AccountKey, 'payer' | 'mode'>): string {
  return mode === 'chained' ? payerAccount(payer, mode) : payer
}

/** A movement in words that two sources share: every posting, the token and the tx, so that nothing can differ unseen. */
function textOf(
  { postings }: Pick<LedgerEntry, 'postings'>,
  place: { token: Address; txHash: Hex | undefined },
): string {
  const [from, to, ...others] = postings.toSorted((a, b) => (a.amount > b.amount ? -1 : a.amount < b.amount ? 1 : 0))
  const isMove = from !== undefined && to !== undefined && others.length === 0 && from.amount === -to.amount
  const moved = isMove
    ? `${from.amount} from ${from.account} to ${to.account}`
    : postings.map(({ account, amount }) => `${amount} on ${account}`).join(', ')
  return `${moved}, token ${place.token}, tx ${place.txHash}`
}
