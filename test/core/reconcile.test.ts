import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deposit } from '../../core/ledger.ts'
import type { LedgerLine, RangeFacts } from '../../core/range-facts.ts'
import { reconcile } from '../../core/reconcile.ts'
import { addressOf, dollar, longDollar } from './payments.ts'
import { hashOf, history, type Step } from './reconciliations.ts'

const amount = fc.bigInt({ min: 1n, max: 10n ** 24n })
const party = fc.integer({ min: 1, max: 4 })
const token = fc.constantFrom(dollar, longDollar)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constant('deposit' as const), payer: party, amount, token }),
  fc.record({ what: fc.constant('withdrawal' as const), payer: party, amount, token }),
  fc.record({ what: fc.constant('claim' as const), payee: party, amount, token }),
  fc.record({
    what: fc.constant('settlement' as const),
    token,
    isOurs: fc.boolean(),
    payments: fc.array(fc.record({ payer: party, payee: party, amount }), { minLength: 1, maxLength: 5 }),
    /** Of the first payment's payee, the vault keeps what it was paid. */
    isCredited: fc.boolean(),
  }),
)
const steps = fc.array(step, { maxLength: 12 })

describe('sources that tell of the same history', () => {
  test('agree on everything, and so do their totals', () => {
    fc.assert(
      fc.property(steps, fc.bigInt({ min: 0n, max: 10n ** 24n }), (taken, before) => {
        const found = reconcile(history(taken, before))
        expect(found.differences).toEqual([])
        for (const { chain, ledger, intents } of found.totals) {
          expect(ledger.deposits).toBe(chain.deposits)
          expect(ledger.withdrawals).toBe(chain.withdrawals)
          expect([ledger.posted, ledger.postedCount]).toEqual([chain.settled, chain.settledCount])
          expect(intents.finalized + intents.foreign).toBe(chain.settled)
          expect(intents.finalizedCount + intents.foreignCount).toBe(chain.settledCount)
          expect(ledger.payouts + chain.credited).toBe(chain.settled + chain.claimed)
          expect(ledger.vault).toBe(chain.held)
        }
      }),
    )
  })
})

type Change = {
  readonly name: string
  readonly kind: string
  /** Undefined if this history has nothing to change in that way. */
  readonly plant: (
    facts: RangeFacts,
    at: number,
  ) => { readonly facts: RangeFacts; readonly subject: string } | undefined
}
const pick = <Each>(all: readonly Each[], at: number): Each | undefined => all[at % Math.max(1, all.length)]
const replaced = <Each>(all: readonly Each[], old: Each, by: readonly Each[]): readonly Each[] =>
  all.flatMap((each) => (each === old ? by : [each]))
const withLines = (facts: RangeFacts, lines: readonly LedgerLine[]): RangeFacts => ({
  ...facts,
  ledger: { ...facts.ledger, lines },
})
const placeOf = (line: LedgerLine) =>
  line.kind === 'posted'
    ? (line.intentId ?? `${line.txHash}`)
    : line.kind === 'payout'
      ? `${line.txHash}`
      : `${line.txHash}/${line.logIndex}`
const mode = 'independent' as const
const stranger = `payee:${addressOf(99)}` as const
const kinds = ['deposit', 'withdrawal', 'posted', 'payout'] as const

const ofLines = kinds.flatMap((kind): readonly Change[] => {
  const change = (name: string, by: (line: LedgerLine) => readonly LedgerLine[]): Change => ({
    name: `${name} ${kind} of the ledger`,
    kind,
    plant: (facts, at) => {
      const line = pick(
        facts.ledger.lines.filter((each) => each.kind === kind),
        at,
      )
      if (line === undefined) return undefined
      return { facts: withLines(facts, replaced(facts.ledger.lines, line, by(line))), subject: placeOf(line) }
    },
  })
  return [
    change('a missing', () => []),
    change('a twin of a', (line) => [line, line]),
    change('a unit more in a', (line) => [
      {
        ...line,
        postings: line.postings.map((each) => ({
          ...each,
          amount: each.amount > 0n ? each.amount + 1n : each.amount - 1n,
        })),
      },
    ]),
    change('a stranger in a', (line) => [
      {
        ...line,
        postings: line.postings.map((each) => (each.account === 'vault' ? each : { ...each, account: stranger })),
      },
    ]),
    change('another token in a', (line) => [{ ...line, token: line.token === dollar ? longDollar : dollar }]),
  ]
})

const changes: readonly Change[] = [
  ...ofLines,
  {
    name: 'an extra deposit that the chain does not know',
    kind: 'deposit',
    plant: (facts) => {
      const place = { token: dollar, txHash: hashOf(7_777), logIndex: 3, intentId: undefined }
      const extra = { ...deposit({ payer: addressOf(1), amount: 5n, mode }), ...place }
      return { facts: withLines(facts, [...facts.ledger.lines, extra]), subject: `${hashOf(7_777)}/3` }
    },
  },
  {
    name: 'a payment on chain that nobody posted',
    kind: 'posted',
    plant: (facts) => {
      const payment = { payer: addressOf(1), payee: addressOf(2), token: dollar, amount: 5n, mode }
      const extra = { ...payment, digest: hashOf(8_888), txHash: hashOf(8_889) }
      const chain = { ...facts.chain, payments: [...facts.chain.payments, extra] }
      return { facts: { ...facts, chain }, subject: hashOf(8_889) }
    },
  },
  {
    name: 'a unit more in an intent',
    kind: 'intent',
    plant: (facts, at) => changedIntent(facts, at, (intent) => [{ ...intent, amount: intent.amount + 1n }]),
  },
  {
    name: 'another payee in an intent',
    kind: 'intent',
    plant: (facts, at) => changedIntent(facts, at, (intent) => [{ ...intent, payee: addressOf(99) }]),
  },
  {
    name: 'an intent that is not final',
    kind: 'intent',
    plant: (facts, at) => changedIntent(facts, at, () => []),
  },
  {
    name: 'an intent that the chain did not settle',
    kind: 'intent',
    plant: (facts) => {
      const payment = { payer: addressOf(1), payee: addressOf(2), token: dollar, amount: 5n, mode, txHash: hashOf(1) }
      const finalized = [...facts.intents.finalized, { ...payment, digest: hashOf(9_999), id: 'pi_ghost' }]
      return { facts: { ...facts, intents: { ...facts.intents, finalized } }, subject: 'pi_ghost' }
    },
  },
  {
    name: 'a gap in the events of an intent',
    kind: 'event',
    plant: (facts, at) =>
      changedEvents(facts, at, (each) => [{ ...each, sequences: each.sequences.filter((s) => s !== 2) }]),
  },
  {
    name: 'an event after the last',
    kind: 'event',
    plant: (facts, at) =>
      changedEvents(facts, at, (each) => [{ ...each, sequences: [...each.sequences, 6], lastState: 'submitted' }]),
  },
  {
    name: 'an intent without events',
    kind: 'event',
    plant: (facts, at) => changedEvents(facts, at, () => []),
  },
  {
    name: 'a unit more in the vault’s word on a payer',
    kind: 'account',
    plant: (facts, at) => {
      const account = pick(facts.chain.accounts, at)
      if (account === undefined) return undefined
      const accounts = replaced(facts.chain.accounts, account, [{ ...account, balance: account.balance + 1n }])
      const subject = account.mode === 'chained' ? `chained:${account.payer}` : account.payer
      return { facts: { ...facts, chain: { ...facts.chain, accounts } }, subject }
    },
  },
  ...([1n, -1n] as const).map(
    (by): Change => ({
      name: by > 0n ? 'a token that was sent to the vault' : 'a token that the vault lost',
      kind: by > 0n ? 'surplus' : 'shortfall',
      plant: (facts) => {
        const holdings = facts.chain.holdings.map((each) =>
          each.token === dollar ? { ...each, amount: each.amount + by } : each,
        )
        return { facts: { ...facts, chain: { ...facts.chain, holdings } }, subject: 'vault' }
      },
    }),
  ),
  {
    name: 'a ledger balance of the vault that was off before',
    kind: 'vault',
    plant: (facts) => {
      const balancesBefore = [...facts.ledger.balancesBefore].map((each) =>
        each.account === 'vault' ? { ...each, amount: each.amount + 1n } : each,
      )
      return { facts: { ...facts, ledger: { ...facts.ledger, balancesBefore } }, subject: 'vault' }
    },
  },
  {
    name: 'a reservation for nothing',
    kind: 'reservation',
    plant: (facts) => {
      const reservations = [{ payer: addressOf(1), mode, token: dollar, reserved: 5n, open: 0n }]
      return { facts: { ...facts, intents: { ...facts.intents, reservations } }, subject: addressOf(1) }
    },
  },
  {
    name: 'a settlement of another relayer',
    kind: 'unread',
    plant: (facts) => {
      const unread = [{ txHash: hashOf(6_666), token: dollar, relayerId: 9 }]
      return { facts: { ...facts, chain: { ...facts.chain, unread } }, subject: hashOf(6_666) }
    },
  },
]

type Intent = RangeFacts['intents']['finalized'][number]
function changedIntent(facts: RangeFacts, at: number, by: (intent: Intent) => readonly Intent[]) {
  const intent = pick(facts.intents.finalized, at)
  if (intent === undefined) return undefined
  const finalized = replaced(facts.intents.finalized, intent, by(intent))
  return { facts: { ...facts, intents: { ...facts.intents, finalized } }, subject: intent.id }
}

type Told = RangeFacts['intents']['events'][number]
function changedEvents(facts: RangeFacts, at: number, by: (told: Told) => readonly Told[]) {
  const told = pick(facts.intents.events, at)
  if (told === undefined) return undefined
  const events = replaced(facts.intents.events, told, by(told))
  return { facts: { ...facts, intents: { ...facts.intents, events } }, subject: told.intentId }
}

describe('a single change in what one source tells', () => {
  test.each(changes.map((change) => [change.name, change] as const))(
    '%s is found and named',
    (_name, { kind, plant }) => {
      let planted = 0
      fc.assert(
        fc.property(steps, fc.nat(), (taken, at) => {
          const change = plant(history(taken, 10n ** 30n), at)
          if (change === undefined) return
          planted++
          const found = reconcile(change.facts).differences
          const named = found.filter((each) => each.kind === kind && each.subject === change.subject)
          expect(named.length, JSON.stringify(found)).toBeGreaterThan(0)
          for (const { expected, actual } of named) expect(expected).not.toBe(actual)
        }),
      )
      expect(planted).toBeGreaterThan(10)
    },
  )
})

test('tokens of other lines never make up for each other', () => {
  const facts = history([{ what: 'deposit', payer: 1, amount: 5n, token: dollar }], 0n)
  const swapped = facts.ledger.lines.map((line) => ({ ...line, token: longDollar }))
  const found = reconcile(withLines(facts, swapped))
  expect(found.differences.map(({ kind, subject }) => [kind, subject])).toEqual([
    ['deposit', `${hashOf(0)}/0`],
    ['account', addressOf(1)],
    ['account', addressOf(1)],
    ['vault', 'vault'],
    ['vault', 'vault'],
  ])
})
