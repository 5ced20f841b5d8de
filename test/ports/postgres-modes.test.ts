import { beforeEach, describe, expect, test } from 'vitest'
import type { Candidate } from '../../core/admit.ts'
import { zeroLink } from '../../core/chained.ts'
import { payerWith, verdict } from './books.ts'
import { settledUpTo, signedAfter } from './chained.ts'
import { candidate, chain, finalBlock, freshAddress, funded, nowSeconds, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'
import { richPayer, settler } from './settler.ts'

const books = await postgresBooks()
const { accounts, intake } = books
const { chainId, vault } = chain
const token = usdc.address
const pull = { mode: 'pull', means: 'allowance' } as const
const admitted = async (...set: readonly Candidate[]) => (await intake.admit(set, nowSeconds())).map(verdict)
const recordOf = (payer: `0x${string}`, mode: 'independent' | 'chained' | 'pull') =>
  accounts.find({ chainId, vault: mode === 'pull' ? settler.vault : vault, payer, token, mode })

/** The same at the final block and at the head. */
const readAt = (wallet: { balance: bigint; allowance?: bigint }, asOfBlock: bigint) => ({
  ...{ final: wallet, head: wallet, asOfBlock },
})

beforeEach(async () => {
  await books.observe({})
  await books.observe({ on: settler })
})

describe('the accounts of one payer', () => {
  test('share neither money nor nonces, in one set and after it', async () => {
    const payer = await richPayer(books)
    const taking = { mode: 'chained', previous: zeroLink } as const
    const inChains = candidate({ payer, amount: 500n, nonce: 1n, taking })
    const set = [
      candidate({ payer, amount: 1_000n, nonce: 1n }),
      inChains,
      candidate({ payer, amount: 200n, nonce: 1n, on: settler, taking: pull }),
    ]
    expect(await admitted(...set)).toEqual(['accepted', 'accepted', 'accepted'])
    expect(await recordOf(payer, 'independent')).toMatchObject({ reserved: 1_000n, openNonces: [1n], tail: undefined })
    expect(await recordOf(payer, 'chained')).toMatchObject({ reserved: 500n, openNonces: [1n], tail: { sequence: 1n } })
    expect(await recordOf(payer, 'pull')).toMatchObject({ reserved: 200n, openNonces: [1n], tail: undefined })
    const more = [
      candidate({ payer, amount: 1n, nonce: 2n }),
      ...signedAfter(inChains, [{ payer, amount: 1n }]),
      candidate({ payer, amount: 1n, nonce: 2n, on: settler, taking: pull }),
      candidate({ payer, amount: 100n, nonce: 3n, on: settler, taking: { mode: 'pull', means: 'authorization' } }),
    ]
    expect(await admitted(...more)).toEqual([
      'insufficient_balance',
      'insufficient_balance',
      'allowance_short',
      'accepted',
    ])
  })

  test('hold what the chain says of each, to the digit', async () => {
    const payer = await richPayer(books)
    expect((await recordOf(payer, 'chained'))?.state).toEqual({ ...funded(500n), ...settledUpTo(0n) })
    expect((await recordOf(payer, 'pull'))?.state).toEqual({ ...funded(300n), allowance: 200n })
    expect((await recordOf(payer, 'independent'))?.state).toEqual(funded(1_000n))
  })

  test('hand out nonces of their own', async () => {
    const payer = await richPayer(books)
    const reservation = { expiresAt: BigInt(nowSeconds() + 600), nowSeconds: nowSeconds() }
    const next = (mode: 'independent' | 'pull') =>
      accounts.reserveNonce(
        { chainId, vault: mode === 'pull' ? settler.vault : vault, payer, token, mode },
        reservation,
      )
    expect([await next('independent'), await next('independent'), await next('pull')]).toEqual([0n, 1n, 0n])
  })

  test('are refused by the tables without what their mode needs, or with what it must not have', async () => {
    const introduce = (mode: 'independent' | 'chained' | 'pull', more: Parameters<typeof funded>[1]) =>
      accounts.introduce({ chainId, vault, payer: freshAddress(), token, mode }, funded(1n, more), finalBlock)
    await expect(introduce('chained', {})).rejects.toThrow(/check/)
    await expect(introduce('pull', {})).rejects.toThrow(/check/)
    await expect(introduce('independent', { head: zeroLink })).rejects.toThrow(/check/)
    await expect(introduce('independent', { allowance: 1n })).rejects.toThrow(/check/)
  })
})

describe('a wallet', () => {
  test('is read anew: its balance and allowance move, its nonces do not', async () => {
    const nonces = { topNonce: 5n, nonceWindow: 3n }
    const payer = await payerWith(books, 300n, { mode: 'pull', on: settler, allowance: 200n, ...nonces })
    const wallet = { chainId, vault: settler.vault, payer, token, mode: 'pull' as const }
    await accounts.refreshWallet(wallet, readAt({ balance: 7n, allowance: 900n }, finalBlock))
    expect((await accounts.find(wallet))?.state).toEqual({ ...funded(7n, nonces), allowance: 900n })
    await accounts.refreshWallet(wallet, readAt({ balance: 8n }, finalBlock))
    expect((await accounts.find(wallet))?.state).toEqual({ ...funded(8n, nonces), allowance: 0n })
  })

  test('has what the head says, unless a payment has left the head and is reserved still', async () => {
    const payer = await payerWith(books, 300n, { mode: 'pull', on: settler, allowance: 300n })
    const wallet = { chainId, vault: settler.vault, payer, token, mode: 'pull' as const }
    const [final, head] = [
      { balance: 300n, allowance: 300n },
      { balance: 100n, allowance: 100n },
    ]
    await accounts.refreshWallet(wallet, { final, head, asOfBlock: finalBlock })
    expect((await accounts.find(wallet))?.state).toMatchObject(head)
    await accounts.refreshWallet(wallet, readAt(final, finalBlock))
    expect(await admitted(candidate({ payer, on: settler, amount: 200n, taking: pull }))).toEqual(['accepted'])
    await accounts.refreshWallet(wallet, { final, head, asOfBlock: finalBlock })
    expect((await accounts.find(wallet))?.state).toMatchObject(final)
  })

  test('that finality has read since stays as finality saw it', async () => {
    const payer = await richPayer(books)
    const wallet = { chainId, vault: settler.vault, payer, token, mode: 'pull' as const }
    await accounts.refreshWallet(wallet, readAt({ balance: 7n, allowance: 7n }, finalBlock - 1n))
    expect((await accounts.find(wallet))?.state).toMatchObject({ balance: 300n, allowance: 200n })
  })

  test('is all that is read anew: accounts in the vault move with finality only', async () => {
    const payer = await richPayer(books)
    for (const mode of ['independent', 'chained'] as const) {
      const before = await recordOf(payer, mode)
      await accounts.refreshWallet(
        { chainId, vault, payer, token, mode },
        readAt({ balance: 1n, allowance: 1n }, finalBlock),
      )
      expect(await recordOf(payer, mode)).toEqual(before)
    }
  })
})

test('a pull that an operator rejects stays reserved until its signature is dead: another relayer could settle it', async () => {
  const payer = await payerWith(books, 3_000_000_000n, { mode: 'pull', on: settler, allowance: 3_000_000_000n })
  const held = candidate({ payer, on: settler, amount: 2_000_000_000n, taking: pull })
  expect(await admitted(held)).toEqual(['held'])
  const decided = await books.intents.reject({ id: held.id, operatorId: 'op', note: undefined })
  expect(decided).toEqual({ outcome: 'decided', state: 'cancelling' })
  expect(await books.intents.find(held.id)).toMatchObject({ state: 'cancelling', reason: 'rejected by an operator' })
  expect(await recordOf(payer, 'pull')).toMatchObject({ reserved: 2_000_000_000n })
})
