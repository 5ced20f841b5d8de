import { beforeEach, describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { newId } from '../../adapters/postgres/codec.ts'
import type { Candidate } from '../../core/admit.ts'
import { zeroLink } from '../../core/chained.ts'
import { type ChainConfig, contractsOf } from '../../core/config.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { payerWith, verdict } from './books.ts'
import { chainedPayer, settledUpTo, signedAfter } from './chained.ts'
import { candidate, chain, finalBlock, freshAddress, funded, nowSeconds, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { accounts, batches, intake, intents, database, include } = books
const batching = createBatching(database)
const [, settler] = contractsOf({ ...chain, pullSettler: freshAddress() }) as [ChainConfig, ChainConfig]
const { chainId, vault } = chain
const token = usdc.address
const chained = { token, mode: 'chained' } as const
const pull = { mode: 'pull', means: 'allowance' } as const
const admitted = async (...set: readonly Candidate[]) => (await intake.admit(set, nowSeconds())).map(verdict)
const recordOf = (payer: `0x${string}`, mode: 'independent' | 'chained' | 'pull') =>
  accounts.find({ chainId, vault: mode === 'pull' ? settler.vault : vault, payer, token, mode })

beforeEach(async () => {
  await books.observe({})
  await books.observe({ on: settler })
})

/** One payer with money in both accounts and in the wallet. */
async function rich() {
  const payer = await payerWith(books, 1_000n)
  await payerWith(books, 500n, { payer, mode: 'chained', ...settledUpTo(0n) })
  await payerWith(books, 300n, { payer, mode: 'pull', on: settler, allowance: 200n })
  return payer
}

describe('the accounts of one payer', () => {
  test('share neither money nor nonces, in one set and after it', async () => {
    const payer = await rich()
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
    const payer = await rich()
    expect((await recordOf(payer, 'chained'))?.state).toEqual({ ...funded(500n), ...settledUpTo(0n) })
    expect((await recordOf(payer, 'pull'))?.state).toEqual({ ...funded(300n), allowance: 200n })
    expect((await recordOf(payer, 'independent'))?.state).toEqual(funded(1_000n))
  })

  test('hand out nonces of their own', async () => {
    const payer = await rich()
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
    await accounts.refreshWallet(wallet, { balance: 7n, allowance: 900n }, finalBlock)
    expect((await accounts.find(wallet))?.state).toEqual({ ...funded(7n, nonces), allowance: 900n })
    await accounts.refreshWallet(wallet, { balance: 8n }, finalBlock)
    expect((await accounts.find(wallet))?.state).toEqual({ ...funded(8n, nonces), allowance: 0n })
  })

  test('is all that is read anew: accounts in the vault move with finality only', async () => {
    const payer = await rich()
    for (const mode of ['independent', 'chained'] as const) {
      const before = await recordOf(payer, mode)
      await accounts.refreshWallet({ chainId, vault, payer, token, mode }, { balance: 1n, allowance: 1n }, finalBlock)
      expect(await recordOf(payer, mode)).toEqual(before)
    }
  })
})

describe('what waits', () => {
  const idsOf = async (kind: Parameters<typeof batching.payments>[2], of = vault) =>
    (await batching.payments(chainId, of, kind, 100)).map(({ id }) => id)

  test('is counted and listed by mode and contract', async () => {
    const payer = await rich()
    const [first] = signedAfter(undefined, [{ payer }])
    if (first === undefined) throw new Error('a payment')
    const independent = candidate({ payer })
    const pulled = candidate({ payer, on: settler, taking: pull })
    expect(await admitted(independent, first, pulled)).toEqual(['accepted', 'accepted', 'accepted'])
    const modesOf = async (of: typeof vault) =>
      (await batching.waiting(chainId, of, 100)).filter((each) => each.token === token).map(({ mode }) => mode)
    expect(await modesOf(vault)).toEqual(['chained', 'independent'])
    expect(await modesOf(settler.vault)).toEqual(['pull'])
    expect(await idsOf({ token, mode: 'independent' })).toContain(independent.id)
    expect(await idsOf({ token, mode: 'independent' })).not.toContain(first.id)
    expect(await idsOf(chained)).toContain(first.id)
    expect(await idsOf({ token, mode: 'pull' })).toEqual([])
    const waiting = await batching.payments(chainId, settler.vault, { token, mode: 'pull' }, 100)
    expect(waiting.find(({ id }) => id === pulled.id)).toMatchObject({
      ...pulled.payment,
      taking: pull,
      signature: pulled.signature,
    })
  })

  test('does not hold payers whose run is on its way, and holds them again once it is included', async () => {
    const [payer, other] = [await chainedPayer(books, 1_000n), await chainedPayer(books, 1_000n)]
    const [sent, next] = signedAfter(undefined, [{ payer }, { payer }])
    const [apart] = signedAfter(undefined, [{ payer: other }])
    if (sent === undefined || next === undefined || apart === undefined) throw new Error('three payments')
    await admitted(sent, next, apart)
    const { id } = await books.batch([sent])
    const listed = async () => (await idsOf(chained)).filter((each) => [sent.id, next.id, apart.id].includes(each))
    expect(await listed()).toEqual([apart.id])
    await include(id, '0x01')
    expect(await listed()).toEqual([next.id, apart.id])
  })
})

describe('a batch of runs', () => {
  test('tells how many payments settled, not how many runs', async () => {
    const payers = await Promise.all([1, 2, 3].map(() => chainedPayer(books, 1_000n)))
    const runs = payers.map((payer, index) =>
      signedAfter(
        undefined,
        Array.from({ length: [2, 1, 3][index] ?? 0 }, () => ({ payer })),
      ),
    )
    expect(new Set(await admitted(...runs.flat()))).toEqual(new Set(['accepted']))
    const id = newId('sb')
    const packed = runs.map((run, index) => ({
      payer: payers[index] ?? freshAddress(),
      links: run.map(({ payment }) => payment),
      signature: run.at(-1)?.signature ?? '0x',
    }))
    const created = await batching.create({
      ...{ ...chained, id, chainId, vault, anchor: zeroHash, opening: { sequence: 0n, head: zeroHash }, gasLimit: 1n },
      payload: encodeChainedBatch({ token, scale: 1n, anchor: zeroHash, runs: packed }),
      payments: runs.flatMap((run, bit) => run.map((each) => ({ id: each.id, bit }))),
      cancelIds: [],
    })
    expect(created).toBe('created')
    expect(await batches.find(id)).toMatchObject({ mode: 'chained', paymentCount: 6, settledCount: undefined })
    await include(id, '0x05')
    expect(await batches.find(id)).toMatchObject({ paymentCount: 6, settledCount: 5 })
    const told = await Promise.all(runs.map((run) => intents.find(run.at(-1)?.id ?? '')))
    expect(told.map((each) => each?.batchIndex)).toEqual([0, 1, 2])
    expect(told.map((each) => each?.settledTx !== undefined)).toEqual([true, false, true])
  })
})
