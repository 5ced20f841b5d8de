import { describe, expect, test } from 'vitest'
import { newId } from '../../adapters/postgres/codec.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { admitOne, type Books, payerWith } from './books.ts'
import { candidate, chain, order, usdc } from './payments.ts'

export function testBatches(name: string, books: Books): void {
  const { batches, batch, include, orders } = books

  const accepted = async (change: Parameters<typeof candidate>[0] = {}) => {
    const payment = candidate({ payer: await payerWith(books, 1_000n), ...change })
    expect(await admitOne(books, payment)).toMatchObject({ outcome: 'accepted' })
    return payment
  }

  describe(`batches in ${name}`, () => {
    test('are found before they are sent, with nothing that is not known yet', async () => {
      const { id } = await batch([await accepted(), await accepted()])
      expect(await batches.find(id)).toEqual({
        id,
        chainId: chain.chainId,
        vault: chain.vault,
        token: usdc.address,
        mode: 'independent',
        state: 'batched',
        anchor: zeroHash,
        paymentCount: 2,
        cancelCount: 0,
        blockNumber: undefined,
        blockHash: undefined,
        txHash: undefined,
        gasUsed: undefined,
        settledCount: undefined,
        attempts: [],
        createdAtMillis: expect.any(Number),
        includedAtMillis: undefined,
        finalizedAtMillis: undefined,
      })
    })

    test.each([
      [1, '0x00', 0],
      [1, '0xff', 1],
      [3, '0x05', 2],
      [9, '0xff01', 9],
      [9, '0xfffe', 8],
    ] as const)(
      'of %i payments with results %s settled %i: bits of cancels and padding do not count',
      async (count, results, settled) => {
        const payments = await Promise.all(Array.from({ length: count }, () => accepted()))
        const { id } = await batch(payments)
        await include(id, results)
        expect(await batches.find(id)).toMatchObject({ settledCount: settled, paymentCount: count, state: 'included' })
      },
    )

    test('tell their attempts and where they were mined', async () => {
      const { id } = await batch([await accepted()])
      await include(id, '0x01')
      expect(await batches.find(id)).toMatchObject({
        blockNumber: 103n,
        txHash: `0x${'ab'.repeat(32)}`,
        gasUsed: 90_000n,
        includedAtMillis: expect.any(Number),
        attempts: [{ state: 'sent', txHash: `0x${'ab'.repeat(32)}`, maxFeePerGasWei: 30_000_000_000n }],
      })
    })

    test('are shown to the apps of their payments and orders, and to no other', async () => {
      const wanted = order({ appId: 'app-payee' })
      await orders.create(wanted)
      const { id } = await batch([
        await accepted({ appId: 'app-one' }),
        await accepted({ appId: 'app-two', payee: wanted.payee, orderRef: wanted.orderRef }),
      ])
      const shown = async (appId: string) => [appId, await batches.isVisibleTo(id, appId)]
      expect(await Promise.all(['app-one', 'app-two', 'app-payee', 'app-x', ''].map(shown))).toEqual([
        ['app-one', true],
        ['app-two', true],
        ['app-payee', true],
        ['app-x', false],
        ['', false],
      ])
    })

    test('are not found under an unknown id, an id of another kind or no id', async () => {
      for (const id of [newId('sb'), newId('pi'), 'sb_', '']) {
        expect(await batches.find(id)).toBeUndefined()
        expect(await batches.isVisibleTo(id, 'app-a')).toBe(false)
      }
    })
  })
}
