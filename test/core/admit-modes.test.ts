import { describe, expect, test } from 'vitest'
import { admit, type BookedAccount, type Candidate } from '../../core/admit.ts'
import { linkOf, zeroLink } from '../../core/chained.ts'
import type { Means } from '../../core/protocol/taking.ts'
import { account, addressOf, books, candidate, now } from './payments.ts'

const outcomesOf = (candidates: readonly Candidate[], booked: Partial<BookedAccount> = {}) =>
  admit(candidates, books({ booked: { state: account, reserved: 0n, openNonces: [], ...booked } }), now)
const codesOf = (...asked: Parameters<typeof outcomesOf>) =>
  outcomesOf(...asked).map((each) => (each.outcome === 'refused' ? each.code : each.outcome))

const head = `0x${'ee'.repeat(16)}` as const
const chained = { ...account, topNonce: 7n, nonceWindow: 2n ** 64n - 1n, head }
const following = (number: number, nonce: bigint, previous = head, changes: Parameters<typeof candidate>[1] = {}) =>
  candidate(number, { nonce, taking: { mode: 'chained', previous }, ...changes })
/** Payments one after the other, the first after `head`. */
function chainOf(nonces: readonly bigint[], amounts: readonly bigint[] = []): Candidate[] {
  let previous = head
  return nonces.map((nonce, index) => {
    const next = following(index, nonce, previous, { amount: amounts[index] ?? 1_000n })
    previous = linkOf(next.payment, previous, 1n) as typeof head
    return next
  })
}

describe('a chained payment', () => {
  test('passes as the very next one, and its promise is optimistic however fresh the view', () => {
    expect(outcomesOf([following(0, 8n)], { state: chained })).toMatchObject([
      { outcome: 'accepted', guarantee: 'optimistic' },
    ])
    expect(outcomesOf([candidate(0)])).toMatchObject([{ outcome: 'accepted', guarantee: 'collateralised' }])
  })

  test('is the first of its account after the zero link', () => {
    const fresh = { ...chained, topNonce: 0n, head: zeroLink }
    expect(codesOf([following(0, 1n, zeroLink)], { state: fresh })).toEqual(['accepted'])
    expect(codesOf([following(0, 0n, zeroLink)], { state: fresh })).toEqual(['previous_mismatch'])
  })

  test.each([
    ['skips one', 9n, head],
    ['repeats the last', 7n, head],
    ['follows another link', 8n, zeroLink],
  ])('that %s is refused with what would have been right', (_, nonce, previous) => {
    const [refused] = outcomesOf([following(0, nonce, previous as typeof head)], { state: chained })
    expect(refused).toMatchObject({
      code: 'previous_mismatch',
      fields: { sequence: `${nonce}`, previous, expectedSequence: '8', expectedPrevious: head },
    })
  })

  test('follows the open tail of the books, and no longer the chain', () => {
    const tail = { sequence: 9n, link: `0x${'99'.repeat(16)}` as const, isHeld: false }
    const booked = { state: chained, openNonces: [8n, 9n], tail }
    expect(codesOf([following(0, 10n, tail.link as typeof head)], booked)).toEqual(['accepted'])
    expect(codesOf([following(0, 8n)], booked)).toEqual(['previous_mismatch'])
  })

  test('follows the chain again once that has settled the tail', () => {
    const tail = { sequence: 7n, link: `0x${'77'.repeat(16)}` as const, isHeld: true }
    expect(codesOf([following(0, 8n)], { state: chained, tail })).toEqual(['accepted'])
  })

  test('passes with its successors in one set, in their order only', () => {
    const [first, second, third] = chainOf([8n, 9n, 10n]) as [Candidate, Candidate, Candidate]
    expect(codesOf([first, second, third], { state: chained })).toEqual(['accepted', 'accepted', 'accepted'])
    expect(codesOf([second, first, third], { state: chained })).toEqual([
      'previous_mismatch',
      'accepted',
      'previous_mismatch',
    ])
  })

  test('leaves nothing to follow if it is refused: its successor has no predecessor', () => {
    const poor = { ...chained, balance: 1_500n }
    expect(codesOf(chainOf([8n, 9n, 10n], [1_000n, 501n, 500n]), { state: poor })).toEqual([
      'accepted',
      'insufficient_balance',
      'previous_mismatch',
    ])
  })

  test('waits for no operator: after a held one none is accepted, in the set or in the books', () => {
    const rich = { ...chained, balance: 10n ** 9n }
    const [held, next] = chainOf([8n, 9n], [500_001n]) as [Candidate, Candidate]
    expect(outcomesOf([held, next], { state: rich })).toMatchObject([
      { outcome: 'held' },
      { code: 'previous_held', fields: { sequence: '8' } },
    ])
    const tail = { sequence: 8n, link: linkOf(held.payment, head, 1n), isHeld: true }
    expect(codesOf([next], { state: rich, tail })).toEqual(['previous_held'])
    expect(codesOf([next], { state: rich, tail: { ...tail, isHeld: false } })).toEqual(['accepted'])
  })

  test('shares neither money nor nonce with independent payments of its payer in the same set', () => {
    const independent = candidate(5, { nonce: 8n, amount: 10_000n })
    const account = (each: Candidate): BookedAccount => ({
      ...{ reserved: 0n, openNonces: [] },
      state: each.taking.mode === 'chained' ? chained : { ...chained, topNonce: 0n, nonceWindow: 1n },
    })
    const outcomes = admit([independent, following(0, 8n, head, { amount: 10_000n })], { ...books(), account }, now)
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted'])
  })

  test('of two that race for one sequence the first has it', () => {
    const rival = following(1, 8n, head, { payee: addressOf(0x77) })
    expect(codesOf([following(0, 8n), rival], { state: chained })).toEqual(['accepted', 'previous_mismatch'])
  })
})

describe('a pull from a wallet', () => {
  const pulled = (number: number, by: Means, amount: bigint) =>
    candidate(number, { amount, taking: { mode: 'pull', means: by } })
  const wallet = { ...account, balance: 10_000n, allowance: 4_000n }

  test('is optimistic: a wallet can be emptied', () => {
    expect(outcomesOf([pulled(0, 'authorization', 10_000n)], { state: wallet })).toMatchObject([
      { outcome: 'accepted', guarantee: 'optimistic' },
    ])
  })

  test('by allowance draws on what is allowed, less what is promised, to the unit', () => {
    expect(codesOf([pulled(0, 'allowance', 4_000n)], { state: wallet })).toEqual(['accepted'])
    const [refused] = outcomesOf([pulled(0, 'allowance', 4_000n)], { state: wallet, reserved: 1n })
    expect(refused).toMatchObject({
      code: 'allowance_short',
      fields: { available: '3999', amount: '4000', missing: '1' },
    })
  })

  test('by authorization needs no allowance, only the balance', () => {
    expect(codesOf([pulled(0, 'authorization', 10_000n)], { state: wallet })).toEqual(['accepted'])
    expect(codesOf([pulled(0, 'authorization', 10_001n)], { state: wallet })).toEqual(['insufficient_balance'])
  })

  test('is short of balance, not of allowance, where both are short', () => {
    expect(codesOf([pulled(0, 'allowance', 10_001n)], { state: { ...wallet, allowance: 0n } })).toEqual([
      'insufficient_balance',
    ])
    expect(codesOf([pulled(0, 'allowance', 10_001n)], { state: { ...wallet, allowance: 20_000n } })).toEqual([
      'insufficient_balance',
    ])
  })

  test('of several, by whatever means, never promises more than the wallet holds', () => {
    const racing = [
      pulled(0, 'authorization', 6_500n),
      pulled(1, 'allowance', 3_501n),
      pulled(2, 'authorization', 3_500n),
    ]
    expect(codesOf(racing, { state: wallet })).toEqual(['accepted', 'insufficient_balance', 'accepted'])
  })

  test('has nonces in any order, like an independent payment', () => {
    expect(codesOf([pulled(1, 'allowance', 1n), pulled(0, 'allowance', 1n)], { state: wallet })).toEqual([
      'accepted',
      'accepted',
    ])
  })
})
