import { describe, expect, test } from 'vitest'
import { RelayError } from '../../core/errors.ts'
import { amountMax } from '../../core/money.ts'
import { admitOne, type Books, payerWith } from './books.ts'
import { candidate, chain, finalBlock, freshAddress, funded, nowSeconds, otherChain, usdc } from './payments.ts'

const accountOf = (payer = freshAddress()) => ({
  chainId: chain.chainId,
  vault: chain.vault,
  payer,
  token: usdc.address,
  mode: 'independent' as const,
})
const soon = () => ({ expiresAt: BigInt(nowSeconds() + 600), nowSeconds: nowSeconds() })

export function testAccounts(name: string, books: Books): void {
  const { accounts, observe, rival } = books

  describe(`accounts in ${name}`, () => {
    test('keeps every digit of balance, withdrawal and nonce window', async () => {
      const account = accountOf()
      const state = funded(amountMax, {
        withdrawAmount: amountMax - 1n,
        nonceWindow: 2n ** 64n - 1n,
        topNonce: 2n ** 32n - 1n,
      })
      expect(await accounts.introduce(account, state, finalBlock)).toBe('stored')
      expect(await accounts.find(account)).toEqual({ state, reserved: 0n, openNonces: [], asOfBlock: finalBlock })
    })

    test('finds nothing for another token, vault or chain', async () => {
      const account = accountOf()
      await accounts.introduce(account, funded(1n), finalBlock)
      for (const change of [{ token: freshAddress() }, { vault: freshAddress() }, { chainId: 1 }]) {
        expect(await accounts.find({ ...account, ...change })).toBeUndefined()
      }
    })

    test('refuses an account read at any block but the final one, and on a chain nobody follows', async () => {
      const account = accountOf()
      expect(await accounts.introduce(account, funded(1n), finalBlock - 1n)).toBe('stale')
      expect(await accounts.introduce(account, funded(1n), finalBlock + 1n)).toBe('stale')
      expect(await accounts.introduce({ ...account, chainId: 424242 }, funded(1n), finalBlock)).toBe('stale')
      expect(await accounts.find(account)).toBeUndefined()
    })

    test('leaves an account that is stored as it is', async () => {
      const account = accountOf()
      await Promise.all([1n, 1n, 1n].map((balance) => accounts.introduce(account, funded(balance), finalBlock)))
      expect(await accounts.introduce(account, funded(99n), finalBlock)).toBe('stored')
      expect(await accounts.find(account)).toMatchObject({ state: { balance: 1n } })
    })

    test('tells the view of a chain, and none of a chain nobody follows', async () => {
      await observe({ on: otherChain, headAt: 1_700_000_000, observedAt: 1_700_000_001, isPaused: true, finalized: 7n })
      expect(await accounts.view(otherChain.chainId, otherChain.vault)).toMatchObject({
        headAt: 1_700_000_000n,
        observedAtMillis: 1_700_000_001_000,
        isPaused: true,
        finalizedNumber: 7n,
      })
      expect(await accounts.view(otherChain.chainId, chain.vault)).toBeUndefined()
    })
  })

  describe(`intent nonces in ${name}`, () => {
    test('start at 0 and differ for 40 prepares at once from two processes', async () => {
      const account = accountOf(await payerWith(books, 1n))
      const handed = await Promise.all(
        Array.from({ length: 40 }, (_, index) => (index % 2 ? rival : books).accounts.reserveNonce(account, soon())),
      )
      expect([...handed].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 40 }, (_, n) => BigInt(n)))
    })

    test('64 can be out at once; the 65th is the one that has waited longest for a signature', async () => {
      const account = accountOf(await payerWith(books, 1n, { topNonce: 9n, nonceWindow: 1n }))
      const first = await accounts.reserveNonce(account, { ...soon(), expiresAt: BigInt(nowSeconds() + 500) })
      const handed = await Promise.all(Array.from({ length: 63 }, () => accounts.reserveNonce(account, soon())))
      expect(new Set([first, ...handed]).size).toBe(64)
      expect(await accounts.reserveNonce(account, { ...soon(), expiresAt: BigInt(nowSeconds() + 900) })).toBe(first)
      expect(await accounts.reserveNonce(account, soon())).not.toBe(first)
    })

    test('are refused once 64 payments are open: nobody can be given a nonce that could not settle', async () => {
      const payer = await payerWith(books, 100_000n)
      const open = Array.from({ length: 64 }, (_, nonce) => candidate({ payer, nonce: BigInt(nonce) }))
      await books.intake.admit(open, nowSeconds())
      expect(await accounts.reserveNonce(accountOf(payer), soon())).toBe('full')
    })

    test('stay out up to and including the second they expire', async () => {
      const account = accountOf(await payerWith(books, 1n))
      expect(await accounts.reserveNonce(account, { expiresAt: 1_000n, nowSeconds: 900 })).toBe(0n)
      expect(await accounts.reserveNonce(account, { expiresAt: 2_000n, nowSeconds: 1_000 })).toBe(1n)
      // 0 has expired, 1 has not: past everything known comes first.
      expect(await accounts.reserveNonce(account, { expiresAt: 2_000n, nowSeconds: 1_001 })).toBe(2n)
      expect(await accounts.reserveNonce(account, { expiresAt: 3_000n, nowSeconds: 2_001 })).toBe(0n)
    })

    test('that were handed out are free for their payer, and taken once signed', async () => {
      const payer = await payerWith(books, 1_000n)
      const nonce = await accounts.reserveNonce(accountOf(payer), soon())
      expect(await admitOne(books, candidate({ payer, nonce: BigInt(nonce) }))).toMatchObject({ outcome: 'accepted' })
      expect(await accounts.find(accountOf(payer))).toMatchObject({ openNonces: [0n], reserved: 100n })
      expect(await admitOne(books, candidate({ payer, nonce: BigInt(nonce) }))).toMatchObject({ code: 'nonce_taken' })
      // The expiry of the reservation no longer matters: the payment is open.
      expect(
        await accounts.reserveNonce(accountOf(payer), { expiresAt: 9_999_999_999n, nowSeconds: 9_999_999_998 }),
      ).toBe(1n)
    })

    test('are per token, and need an account that has been introduced', async () => {
      await expect(accounts.reserveNonce(accountOf(), soon())).rejects.toThrow(RelayError)
    })
  })
}
