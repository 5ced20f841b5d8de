import type { PrivateKeyAccount } from 'viem'
import { describe, expect, test } from 'vitest'
import { nextLink } from '../../core/chained.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const merchant = localAccounts.merchants[0]?.address

/** Signs what follows the account's last payment, as `prepare` would hand it out. */
async function payNext(payer: PrivateKeyAccount, amount = 1_000_000n, deadlineSeconds = 4 * 3600) {
  const record = await world.accountOf(payer.address, 'chained')
  if (record === undefined) throw new Error('no account')
  const { sequence, previous } = nextLink(record.state, record.tail)
  const deadline = BigInt(Math.floor(world.clock.nowMillis() / 1000) + deadlineSeconds)
  return world.pay(payer, { nonce: sequence, amount, deadline }, { mode: 'chained', previous })
}

describe('chained payments', () => {
  test('a run of three settles behind one signature, and the next run continues it', async () => {
    const payer = await world.payerWith(10_000_000n, 'chained')
    const first = [await payNext(payer, 1n), await payNext(payer, 20n), await payNext(payer, 300n)]
    expect(first[0]?.admitted).toMatchObject({ outcome: 'accepted', acknowledgement: { guarantee: 'optimistic' } })
    await world.run('batch', 'submit')
    expect(await world.batches()).toMatchObject([{ payment_count: 3 }])

    // What comes meanwhile cannot settle before the run on its way, so it waits for it.
    const second = [await payNext(payer, 4_000n), await payNext(payer, 50_000n)]
    await world.run('batch', 'submit')
    expect(await world.stateOf(second[0]?.id ?? '')).toBe('accepted')
    await world.mine()
    await world.run('confirm', 'batch', 'submit')
    expect(await world.stateOf(first[2]?.id ?? '')).toBe('included')
    expect(await world.stateOf(second[0]?.id ?? '')).toBe('submitted')
    await world.settleDown()

    for (const { id } of [...first, ...second]) expect(await world.stateOf(id)).toBe('finalized')
    expect(await world.accountOf(payer.address, 'chained')).toMatchObject({
      reserved: 0n,
      openNonces: [],
      state: { balance: 10_000_000n - 54_321n, topNonce: 5n },
    })
    const ledger = await world.ledger()
    expect(ledger.get(`chained:${payer.address}`)).toBe(-(10_000_000n - 54_321n))
    expect(ledger.get(`payee:${merchant}`)).toBe(0n)
    expect(await world.reconciled()).toEqual({ breaks: [], settledCount: 5 })
  })

  test('runs of several payers share a batch, and the two accounts of one payer stay apart', async () => {
    const [one, other] = [await world.payerWith(5_000_000n, 'chained'), await world.payerWith(5_000_000n, 'chained')]
    const payments = [await payNext(one), await payNext(other), await payNext(one)]
    await world.run('batch', 'submit')
    await world.settleDown()
    for (const { id } of payments) expect(await world.stateOf(id)).toBe('finalized')
    expect(await world.accountOf(one.address, 'chained')).toMatchObject({ state: { balance: 3_000_000n } })
    expect(await world.accountOf(other.address, 'chained')).toMatchObject({ state: { balance: 4_000_000n } })
    expect(await world.accountOf(one.address)).toBeUndefined()
  })

  test('what follows a payment that has died fails with it, and its money is free again', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    const short = await payNext(payer, 1_000_000n, 100)
    const [second, third] = [await payNext(payer), await payNext(payer)]
    // Nobody batches; the chain's clock moves past the first deadline.
    await world.client.increaseTime({ seconds: 101 })
    await world.settleDown()
    expect(await world.stateOf(short.id)).toBe('expired')
    expect(await world.stateOf(second.id)).toBe('failed')
    expect(await world.stateOf(third.id)).toBe('failed')
    expect(await world.accountOf(payer.address, 'chained')).toMatchObject({ reserved: 0n, openNonces: [] })
    expect((await world.accountOf(payer.address, 'chained'))?.tail).toBeUndefined()
    // The account goes on where the chain is.
    const again = await payNext(payer)
    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await world.stateOf(again.id)).toBe('finalized')
  })

  test('a reorg takes a run back, and it settles again', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    const snapshot = await world.client.snapshot()
    const paid = await payNext(payer)
    await world.run('batch', 'submit')
    await world.mine()
    await world.run('confirm')
    expect(await world.stateOf(paid.id)).toBe('included')
    await world.client.revert({ id: snapshot })
    await world.mine(2)
    await world.run('confirm')
    expect(await world.stateOf(paid.id)).toBe('submitted')
    await world.age(60)
    await world.run('submit')
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
  })

  test('batches of our id that these books did not send are read from where the account stood, even in one block', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    const paid = await payNext(payer, 7n)
    const record = await world.accountOf(payer.address, 'chained')
    if (record?.tail === undefined) throw new Error('no tail')
    const { sequence, previous } = nextLink(record.state, record.tail)
    const foreign = await world.candidateOf(payer, { nonce: sequence, amount: 5n }, { mode: 'chained', previous })
    const before = await world.reconciled()
    await world.settleDirectly([paid.candidate])
    await world.settleDirectly([foreign])
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    expect(await world.accountOf(payer.address, 'chained')).toMatchObject({
      state: { balance: 5_000_000n - 12n, topNonce: 2n },
    })
    expect(await world.reconciled()).toEqual({ breaks: [], settledCount: before.settledCount + 2 })
  })

  test('what continues a payment whose sequence another took fails with it', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    const record = await world.accountOf(payer.address, 'chained')
    if (record === undefined) throw new Error('no account')
    const { sequence, previous } = nextLink(record.state, record.tail)
    const other = await world.candidateOf(payer, { nonce: sequence, amount: 5n }, { mode: 'chained', previous })
    const [first, second, third] = [await payNext(payer, 7n), await payNext(payer, 8n), await payNext(payer, 9n)]
    await world.settleDirectly([other])
    await world.settleDown()
    for (const { id } of [first, second, third]) expect(await world.stateOf(id)).toBe('failed')
    const again = await payNext(payer)
    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await world.stateOf(again.id)).toBe('finalized')
  })

  test('the record of a batch is built when the node has long forgotten the state before it', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    await world.run('record')
    await payNext(payer)
    await world.run('batch', 'submit')
    await world.settleDown()
    await payNext(payer)
    await payNext(payer)
    await world.run('batch', 'submit')
    await world.settleDown()
    const forgotten = async () => {
      throw new ChainUnavailableError('the state of an old block')
    }
    const context = { ...world.context, chain: { ...world.context.chain, accounts: forgotten } }
    while ((await world.context.audit.next(world.config.chainId, world.config.vault)) !== undefined) {
      await pipeline.record(context)
    }
    expect((await world.reconciled()).breaks).toEqual([])
  })

  test('nothing is promised on top of a payment that no batch can take any more', async () => {
    const payer = await world.payerWith(5_000_000n, 'chained')
    const { id } = await payNext(payer)
    const record = await world.accountOf(payer.address, 'chained')
    if (record === undefined) throw new Error('no account')
    const { sequence, previous } = nextLink(record.state, record.tail)
    const follower = await world.candidateOf(payer, { nonce: sequence }, { mode: 'chained', previous })
    const deadline = record.tail?.waitsUntil ?? 0n
    expect(await world.intake.admit([follower], Number(deadline) + 1)).toMatchObject([{ code: 'previous_expired' }])
    // On its way it may still settle.
    await world.run('batch', 'submit')
    expect(await world.stateOf(id)).toBe('submitted')
    expect(await world.intake.admit([follower], Number(deadline) + 1)).toMatchObject([{ outcome: 'accepted' }])
  })
})
