import { describe, expect, test } from 'vitest'
import type { AccountState } from '../../core/account.ts'
import type { Means, Taking } from '../../core/protocol/taking.ts'
import { whyRefused } from '../../core/refused.ts'
import { account, payment } from './payments.ts'

const independent: Taking = { mode: 'independent' }
const why = (
  changes: Partial<AccountState> = {},
  blockSeconds = payment.deadline,
  nonce = 5n,
  taking: Taking = independent,
) =>
  whyRefused({
    payment: { ...payment, nonce },
    taking,
    account: { ...account, ...changes },
    relayerId: 1,
    blockSeconds,
  })

test('a sound record that the vault refuses all the same is just that', () => {
  expect(why()).toBe('record_refused')
})

test('is expired in the second after its deadline', () => {
  expect(why({}, payment.deadline)).toBe('record_refused')
  expect(why({}, payment.deadline + 1n)).toBe('expired')
})

test('is short of money by one unit', () => {
  expect(why({ balance: payment.amount })).toBe('record_refused')
  expect(why({ balance: payment.amount - 1n })).toBe('insufficient_balance')
})

test('has a nonce that is spent, fell out of the window, or lies 65 ahead', () => {
  expect(why({ topNonce: 5n, nonceWindow: 1n })).toBe('nonce_spent')
  expect(why({ topNonce: 69n, nonceWindow: 1n })).toBe('nonce_spent')
  expect(why({ topNonce: 68n, nonceWindow: 1n })).toBe('record_refused')
  expect(why({}, payment.deadline, 64n)).toBe('record_refused')
  expect(why({}, payment.deadline, 65n)).toBe('nonce_too_far')
})

test('is bound to another relayer', () => {
  expect(why({ relayerId: 2 })).toBe('account_not_bound')
})

describe('out of a wallet', () => {
  const pulled = (by: Means, changes: Partial<AccountState>) =>
    why(changes, payment.deadline, 5n, { mode: 'pull', means: by })
  const { amount } = payment

  test('is short of allowance by one unit, where it is taken by allowance', () => {
    expect(pulled('allowance', { balance: amount, allowance: amount })).toBe('record_refused')
    expect(pulled('allowance', { balance: amount, allowance: amount - 1n })).toBe('allowance_short')
    expect(pulled('authorization', { balance: amount, allowance: 0n })).toBe('record_refused')
  })

  test('is short of balance first, and what its owner asked back from the vault does not count', () => {
    expect(pulled('allowance', { balance: amount - 1n, allowance: 0n })).toBe('insufficient_balance')
    expect(pulled('authorization', { balance: amount - 1n })).toBe('insufficient_balance')
    expect(why({ balance: amount, withdrawAmount: amount })).toBe('record_refused')
  })
})
