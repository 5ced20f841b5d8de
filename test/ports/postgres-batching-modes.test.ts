import { sql } from 'kysely'
import { beforeEach, describe, expect, test } from 'vitest'
import { createBatching } from '../../adapters/postgres/batching.ts'
import { newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import type { Candidate } from '../../core/admit.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { verdict } from './books.ts'
import { chainedPayer, signedAfter } from './chained.ts'
import { candidate, chain, freshAddress, nowSeconds, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'
import { richPayer, settler } from './settler.ts'

const books = await postgresBooks()
const { batches, intake, intents, database, include } = books
const batching = createBatching(database)
const { chainId, vault } = chain
const token = usdc.address
const chained = { token, mode: 'chained' } as const
const pull = { mode: 'pull', means: 'allowance' } as const
const admitted = async (...set: readonly Candidate[]) => (await intake.admit(set, nowSeconds())).map(verdict)

beforeEach(async () => {
  await books.observe({})
  await books.observe({ on: settler })
})

describe('what waits', () => {
  const idsOf = async (kind: Parameters<typeof batching.payments>[2], of = vault) =>
    (await batching.payments(chainId, of, kind, 100)).map(({ id }) => id)

  test('is counted and listed by mode and contract', async () => {
    const payer = await richPayer(books)
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
    // One after the other: of those that wait equally long, addresses decide.
    await admitted(sent, next)
    await admitted(apart)
    const { id } = await books.batch([sent])
    const listed = async () => (await idsOf(chained)).filter((each) => [sent.id, next.id, apart.id].includes(each))
    expect(await listed()).toEqual([apart.id])
    await include(id, '0x01')
    expect(await listed()).toEqual([next.id, apart.id])
  })
})

describe('chained payments that wait', () => {
  const listed = async (payers: readonly `0x${string}`[], except: readonly `0x${string}`[] = []) =>
    (await batching.payments(chainId, vault, chained, 100, except))
      .filter(({ payer }) => payers.includes(payer))
      .map(({ id }) => id)

  test('come by payer, in the order of their sequences, and without those who are left out', async () => {
    const [one, other] = [await chainedPayer(books, 1_000n), await chainedPayer(books, 1_000n)]
    const first = signedAfter(undefined, [{ payer: one }, { payer: one }])
    const second = signedAfter(undefined, [{ payer: other }])
    await admitted(...first.slice(0, 1))
    await admitted(...second)
    await admitted(...first.slice(1))
    const ids = [...first, ...second].map(({ id }) => id)
    expect(await listed([one, other])).toEqual(ids)
    expect(await listed([one, other], [one])).toEqual(ids.slice(2))
  })

  test('wait for one of them that was refused, and go with it when it is due again', async () => {
    const payer = await chainedPayer(books, 1_000n)
    const [first, refused, last] = signedAfter(undefined, [{ payer }, { payer }, { payer }])
    if (first === undefined || refused === undefined || last === undefined) throw new Error('three payments')
    await admitted(first, refused, last)
    await batching.refuse([{ id: refused.id, reason: 'insufficient_balance', retryAfterMillis: 60_000 }])
    expect(await listed([payer])).toEqual([first.id])
    await sql`update intent set retry_at = now() where id = ${uuidOfOwn('pi', refused.id)}`.execute(database)
    expect(await listed([payer])).toEqual([first.id, refused.id, last.id])
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
