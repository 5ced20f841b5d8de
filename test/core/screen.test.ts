import { zeroAddress } from 'viem'
import { describe, expect, test } from 'vitest'
import { type ChainConfig, contractsOf, type TokenConfig } from '../../core/config.ts'
import type { Taking } from '../../core/protocol/taking.ts'
import type { Payment } from '../../core/protocol/typed-data.ts'
import { screen } from '../../core/screen.ts'
import { addressOf, chain, dollar, longDollar, now, payer, payment, vault } from './payments.ts'

const independent: Taking = { mode: 'independent' }
const screened = (changes: Partial<Payment> = {}, contract = vault, taking: Taking = independent) =>
  screen({ chain, contract, payment: { ...payment, ...changes }, taking, nowSeconds: now })

const codeOf = (changes: Partial<Payment>, contract = vault): string => {
  const outcome = screened(changes, contract)
  return outcome.outcome === 'refused' ? outcome.code : 'ok'
}

test('a sound payment passes with its token', () => {
  expect(screened()).toMatchObject({ outcome: 'ok', token: { address: dollar, symbol: 'USD' } })
})

describe('addresses', () => {
  test('a signature for another contract is refused, and both are named', () => {
    expect(screened({}, addressOf(0xfb))).toMatchObject({
      code: 'wrong_contract',
      fields: { contract: addressOf(0xfb), vault },
    })
  })

  test('an unlisted token is refused', () => {
    expect(codeOf({ token: addressOf(0xdd) })).toBe('token_unknown')
  })

  test.each([
    ['nobody', zeroAddress],
    ['the vault', vault],
    ['the token', dollar],
    ['the payer', payer],
  ])('%s cannot be paid', (_, payee) => {
    expect(codeOf({ payee })).toBe('payee_invalid')
  })

  test('another token’s contract may be paid', () => {
    expect(codeOf({ payee: longDollar })).toBe('ok')
  })
})

describe('contracts and modes', () => {
  const pullSettler = addressOf(0x95)
  const [ofVault, ofSettler] = contractsOf({ ...chain, pullSettler }) as [ChainConfig, ChainConfig]
  const [token, ...others] = chain.tokens
  const authorizing = { ...token, authorization: { name: 'USD', version: '1' } } as TokenConfig
  const screenedBy = (
    contract: ChainConfig,
    taking: Taking,
    changes: Partial<Payment> = {},
    asked = contract.vault,
  ) => {
    const outcome = screen({
      ...{ chain: contract, contract: asked, payment: { ...payment, ...changes }, taking, nowSeconds: now },
    })
    return outcome.outcome === 'refused' ? outcome.code : 'ok'
  }
  const chained: Taking = { mode: 'chained', previous: `0x${'00'.repeat(16)}` }
  const byAllowance: Taking = { mode: 'pull', means: 'allowance' }
  const byAuthorization: Taking = { mode: 'pull', means: 'authorization' }

  test('the vault takes from its accounts, the pull settler from wallets, and neither does what the other does', () => {
    const takings = [independent, chained, byAllowance]
    expect(takings.map((taking) => screenedBy(ofVault, taking))).toEqual(['ok', 'ok', 'wrong_contract'])
    expect(takings.map((taking) => screenedBy(ofSettler, taking))).toEqual(['wrong_contract', 'wrong_contract', 'ok'])
    expect(screenedBy(ofSettler, byAllowance, {}, vault)).toBe('wrong_contract')
  })

  test('a wrong one is named beside those that would do', () => {
    const refused = screen({ ...{ chain: ofVault, contract: vault, payment, taking: byAllowance, nowSeconds: now } })
    expect(refused).toMatchObject({ fields: { contract: vault, mode: 'pull', vault, pullSettler } })
    const also = screen({ ...{ chain: ofSettler, contract: pullSettler, payment, taking: chained, nowSeconds: now } })
    expect(also).toMatchObject({ fields: { contract: pullSettler, mode: 'chained', vault, pullSettler } })
    expect(screened({}, vault, byAllowance)).toMatchObject({ fields: { pullSettler: null } })
  })

  test('an authorization needs a token that takes them', () => {
    expect(screenedBy(ofSettler, byAuthorization)).toBe('means_unsupported')
    expect(screenedBy({ ...ofSettler, tokens: [authorizing, ...others] }, byAuthorization)).toBe('ok')
  })

  test.each([
    ['the vault', vault],
    ['the pull settler', pullSettler],
  ])('%s is paid by neither: what it is sent belongs to nobody', (_, payee) => {
    expect([screenedBy(ofVault, independent, { payee }), screenedBy(ofSettler, byAllowance, { payee })]).toEqual([
      'payee_invalid',
      'payee_invalid',
    ])
  })

  test('a sequence has 24 bits, a nonce of the same number passes', () => {
    const most = 2n ** 24n - 1n
    const nonces = [most, most + 1n]
    expect(nonces.map((nonce) => screenedBy(ofVault, chained, { nonce }))).toEqual(['ok', 'nonce_out_of_window'])
    expect(nonces.map((nonce) => screenedBy(ofSettler, byAllowance, { nonce }))).toEqual(['ok', 'ok'])
  })
})

describe('amounts', () => {
  test('both limits are inside the range', () => {
    expect([99n, 100n, 1_000_000n, 1_000_001n].map((amount) => codeOf({ amount }))).toEqual([
      'amount_out_of_range',
      'ok',
      'ok',
      'amount_out_of_range',
    ])
  })

  test('zero is refused even where the smallest amount is one', () => {
    expect(codeOf({ token: longDollar, amount: 0n })).toBe('amount_out_of_range')
  })

  test('a multiple of the scale passes, one unit more or less does not', () => {
    const scale = 10n ** 12n
    const codes = [scale - 1n, scale, scale + 1n].map((amount) => codeOf({ token: longDollar, amount }))
    expect(codes).toEqual(['amount_not_representable', 'ok', 'amount_not_representable'])
  })

  test('2^48 − 1 packed units pass, one more does not', () => {
    const most = (2n ** 48n - 1n) * 10n ** 12n
    expect(codeOf({ token: longDollar, amount: most })).toBe('ok')
    expect(codeOf({ token: longDollar, amount: most + 10n ** 12n })).toBe('amount_not_representable')
  })
})

describe('nonces', () => {
  test('2^32 − 1 passes, 2^32 does not fit a record', () => {
    expect(codeOf({ nonce: 2n ** 32n - 1n })).toBe('ok')
    expect(codeOf({ nonce: 2n ** 32n })).toBe('nonce_out_of_window')
  })
})

describe('deadlines', () => {
  test('the earliest second that can settle passes, the one before does not', () => {
    const earliest = BigInt(now + chain.promise.deadlineSecondsMin)
    expect(codeOf({ deadline: earliest })).toBe('ok')
    expect(screened({ deadline: earliest - 1n })).toMatchObject({
      code: 'intent_expired',
      fields: { deadline: `${earliest - 1n}`, earliest: `${earliest}` },
    })
  })

  test('twelve hours ahead passes, a second more does not', () => {
    const latest = BigInt(now + 12 * 3600)
    expect(codeOf({ deadline: latest })).toBe('ok')
    expect(screened({ deadline: latest + 1n })).toMatchObject({
      code: 'deadline_too_far',
      fields: { deadline: `${latest + 1n}`, latest: `${latest}` },
    })
  })
})
