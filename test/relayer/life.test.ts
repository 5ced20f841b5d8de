import { describe, expect, test } from 'vitest'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const merchant = localAccounts.merchants[0]?.address

describe('the life of a payment', () => {
  test('goes from accepted to finalized in one batch, and chain, books and ledger agree to the unit', async () => {
    const payer = await world.payerWith(5_000_000n)
    const first = await world.pay(payer, { nonce: 0n, amount: 1_000_001n })
    const second = await world.pay(payer, { nonce: 1n, amount: 2_000_002n })
    expect(first.admitted).toMatchObject({ outcome: 'accepted', acknowledgement: { guarantee: 'collateralised' } })
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 3_000_003n })

    await world.run('batch')
    expect(await world.stateOf(first.id)).toBe('batched')
    await world.run('submit')
    expect(await world.stateOf(first.id)).toBe('submitted')
    await world.mine()
    await world.run('confirm')
    expect(await world.stateOf(first.id)).toBe('included')
    await world.run('finalize')
    expect(await world.stateOf(first.id)).toBe('included')
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 3_000_003n })

    await world.settleDown()
    expect([await world.stateOf(first.id), await world.stateOf(second.id)]).toEqual(['finalized', 'finalized'])
    expect(await world.accountOf(payer.address)).toMatchObject({
      reserved: 0n,
      openNonces: [],
      state: { balance: 1_999_997n, topNonce: 1n },
    })
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 1_999_997n })
    const ledger = await world.ledger()
    expect(ledger.get(`payer:${payer.address}`)).toBe(-1_999_997n)
    expect(ledger.get(`payee:${merchant}`)).toBe(0n)
    expect(ledger.get('vault')).toBe(1_999_997n)
    expect((await world.batches()).map(({ state, payment_count }) => [state, payment_count])).toEqual([
      ['finalized', 2],
    ])
  })

  test('one payment that cannot settle leaves the others alone and fails only when its deadline is final', async () => {
    const good = await world.payerWith(1_000_000n)
    const bad = await world.payerWith(1_000_000n)
    const now = Math.floor(world.clock.nowMillis() / 1000)
    const paid = await world.pay(good)
    const unpaid = await world.pay(bad, { deadline: BigInt(now + 100) })
    // Its money leaves by a payment that somebody else brings to the chain: the books do not know yet.
    const rival = await world.candidateOf(bad, { nonce: 5n })
    await world.settleDirectly([rival])
    await world.mine()

    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    expect(await world.stateOf(unpaid.id)).toBe('accepted')

    await world.client.increaseTime({ seconds: 101 })
    await world.settleDown()
    expect(await world.intents.find(unpaid.id)).toMatchObject({ state: 'failed', reason: 'insufficient_balance' })
    expect(await world.accountOf(bad.address)).toMatchObject({ reserved: 0n, state: { balance: 0n } })
  })

  test('a held payment whose deadline passes expires, and frees what it reserved', async () => {
    const payer = await world.payerWith(200_000_000n)
    const seconds = Number((await world.client.getBlock()).timestamp)
    const { id, admitted } = await world.pay(payer, { amount: 150_000_000n, deadline: BigInt(seconds + 200) })
    expect(admitted.outcome).toBe('held')
    await world.run('batch')
    expect(await world.stateOf(id)).toBe('held')

    await world.client.increaseTime({ seconds: 190 })
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('held')
    await world.client.increaseTime({ seconds: 12 })
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('expired')
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, openNonces: [] })
  })
})
