import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RangeFacts } from '../../core/range-facts.ts'
import { compareReservations, reconcile } from '../../core/reconcile.ts'
import { addressOf, dollar, longDollar } from './payments.ts'
import { hashOf, history, type Step } from './reconciliations.ts'

const amount = fc.bigInt({ min: 1n, max: 10n ** 24n })
const party = fc.integer({ min: 1, max: 4 })
const token = fc.constantFrom(dollar, longDollar)
const paid = fc.record({ payer: party, payee: party, amount })
const settling = { what: fc.constant('settlement' as const), token, isOurs: fc.boolean(), isCredited: fc.boolean() }
const payments = fc.array(paid, { minLength: 1, maxLength: 5 })
const claim = fc.record({ what: fc.constant('claim' as const), payee: party, amount, token })

/** Of the vault: both accounts of its payers move, one beside the other. */
const mode = fc.constantFrom('independent' as const, 'chained' as const)
const vaultStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ what: fc.constantFrom('deposit' as const, 'withdrawal' as const), payer: party, amount, token, mode }),
  fc.record({ ...settling, payments, mode }),
  claim,
)
/** Of the pull settler: nobody deposits there, and nobody withdraws. */
const pullStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ ...settling, payments, mode: fc.constant('pull' as const) }),
  claim,
)
const found = (facts: RangeFacts) => reconcile(facts).differences.map(({ kind, subject }) => [kind, subject])

describe('sources that tell of the same history', () => {
  test.each([
    ['of both accounts in the vault', vaultStep],
    ['of pulls from wallets', pullStep],
  ])('%s agree on everything', (_, step) => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.bigInt({ min: 0n, max: 10n ** 24n }), (steps, before) => {
        const { differences, totals } = reconcile(history(steps, before))
        expect(differences).toEqual([])
        for (const { chain, ledger } of totals) {
          expect([ledger.deposits, ledger.posted, ledger.vault]).toEqual([chain.deposits, chain.settled, chain.held])
        }
      }),
    )
  })
})

describe('chained accounts', () => {
  const steps: readonly Step[] = [
    { what: 'deposit', payer: 1, amount: 100n, token: dollar, mode: 'chained' },
    { what: 'deposit', payer: 1, amount: 10n, token: dollar },
    {
      ...{ what: 'settlement', token: dollar, isOurs: true, isCredited: false, mode: 'chained' },
      payments: [{ payer: 1, payee: 2, amount: 30n }],
    },
  ]
  const facts = history(steps, 0n)
  const chainedOf1 = `chained:${addressOf(1)}`

  test('are compared by themselves, and named so', () => {
    const accounts = facts.chain.accounts.map((each) =>
      each.payer === addressOf(1) && each.token === dollar && each.mode === 'chained'
        ? { ...each, balance: each.balance + 1n }
        : each,
    )
    expect(reconcile({ ...facts, chain: { ...facts.chain, accounts } }).differences).toEqual([
      { kind: 'account', subject: chainedOf1, token: dollar, expected: '71', actual: '70' },
    ])
    expect(reconcile(facts).agreements).toContainEqual({
      ...{ kind: 'account', subject: chainedOf1, token: dollar, value: '70' },
    })
  })

  test('whose payment was posted to the other account of the payer are found', () => {
    const lines = facts.ledger.lines.map((line) => ({
      ...line,
      postings: line.postings.map((each) =>
        line.kind === 'posted' && each.account === chainedOf1
          ? { ...each, account: `payer:${addressOf(1)}` as const }
          : each,
      ),
    }))
    const told = found({ ...facts, ledger: { ...facts.ledger, lines } })
    expect(told).toContainEqual(['posted', `pi_${hashOf(1_020)}`])
    expect(told).toContainEqual(['account', chainedOf1])
    expect(told).toContainEqual(['account', addressOf(1)])
  })

  test('whose deposit is told of the other account are found', () => {
    const moves = facts.chain.moves.map((move) => ({ ...move, mode: 'independent' as const }))
    expect(found({ ...facts, chain: { ...facts.chain, moves } })).toEqual([['deposit', `${hashOf(0)}/0`]])
  })

  test('reserve by themselves', () => {
    const reservation = { payer: addressOf(1), token: dollar, reserved: 5n, open: 5n }
    const level = compareReservations({
      reservations: [
        { ...reservation, mode: 'independent' },
        { ...reservation, mode: 'chained', open: 4n },
      ],
    })
    expect(level).toEqual([
      { kind: 'reservation', subject: addressOf(1), token: dollar, value: '5' },
      { kind: 'reservation', subject: chainedOf1, token: dollar, expected: '4', actual: '5' },
    ])
  })
})

describe('pulls from wallets', () => {
  const steps: readonly Step[] = [
    {
      ...{ what: 'settlement', token: dollar, isOurs: true, isCredited: false, mode: 'pull' },
      payments: [
        { payer: 1, payee: 2, amount: 30n },
        { payer: 1, payee: 3, amount: 30n },
      ],
    },
  ]
  const facts = history(steps, 0n)
  const isPulled = ({ kind }: { kind: string }) => kind === 'deposit'
  const first = facts.ledger.lines.find(isPulled)

  test('are each one deposit and one posting, twins too', () => {
    expect(reconcile(facts).differences).toEqual([])
    expect(facts.chain.moves.map(({ name, logIndex }) => [name, logIndex])).toEqual([
      ['deposit', undefined],
      ['deposit', undefined],
    ])
  })

  test('of which the ledger took nothing in are found: its payer would owe it, and the vault lack it', () => {
    const lines = facts.ledger.lines.filter((line) => line !== first)
    expect(found({ ...facts, ledger: { ...facts.ledger, lines } })).toEqual([
      ['deposit', hashOf(0)],
      ['account', addressOf(1)],
      ['vault', 'vault'],
    ])
  })

  test('that the ledger took in twice are found', () => {
    const lines = first === undefined ? [] : [...facts.ledger.lines, first]
    expect(found({ ...facts, ledger: { ...facts.ledger, lines } })).toContainEqual(['deposit', hashOf(0)])
  })

  test('that were never posted are found', () => {
    const lines = facts.ledger.lines.filter(({ kind }) => kind !== 'posted')
    expect(found({ ...facts, ledger: { ...facts.ledger, lines } })).toContainEqual(['posted', `pi_${hashOf(1_000)}`])
  })
})
