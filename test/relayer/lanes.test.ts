import { describe, expect, test } from 'vitest'
import { FencedOffError } from '../../core/ports/lanes.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld({ lane: { replaceAfterMillis: 30_000, resendAfterMillis: 10_000 } })
const [signer] = world.context.signers
if (signer === undefined) throw new Error('no lane')
const lane = { chainId: world.config.chainId, signer: signer.address }
const pooled = async () =>
  Number(
    await world.client
      .request({ method: 'txpool_status' } as never)
      .then((status: { pending: string }) => status.pending),
  )

describe('a lane', () => {
  test('replaces a tx that is not mined by one that pays an eighth more in both fields, and settles once', async () => {
    const payer = await world.payerWith(3_000_000n)
    const ids = await world.submitted(payer)
    const before = await world.attempts()
    await world.age(29)
    await world.run('submit')
    expect((await world.attempts()).length).toBe(before.length)

    await world.age(2)
    await world.run('submit')
    const attempts = (await world.attempts()).slice(before.length - 1)
    expect(attempts.map(({ state }) => state)).toEqual(['sent', 'sent'])
    expect(new Set(attempts.map(({ account_nonce }) => account_nonce)).size).toBe(1)
    const [first, second] = attempts.map(({ max_fee_per_gas_wei }) => BigInt(max_fee_per_gas_wei))
    expect(second).toBeGreaterThanOrEqual(((first ?? 0n) * 9n) / 8n)
    expect(await pooled()).toBe(1)

    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 1_000_000n })
  })

  test('sends the same tx again when the node has forgotten it', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = await world.submitted(payer)
    await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
    expect(await pooled()).toBe(0)
    await world.run('submit')
    expect(await pooled()).toBe(0)

    await world.age(11)
    await world.run('submit')
    expect(await pooled()).toBe(1)
    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
  })

  test.each([
    ['after its nonce was bound', 'allocate'],
    ['after it was signed and stored', 'storeSigned'],
    ['after it was sent, before that was noted', 'storeSent'],
  ] as const)('a process that dies %s leaves a batch that the next run brings to its end, once', async (_, line) => {
    const payer = await world.payerWith(2_000_000n)
    const ids = [(await world.pay(payer, { nonce: 0n })).id, (await world.pay(payer, { nonce: 1n })).id]
    await world.run('batch')
    const dying = {
      ...world.context,
      lanes: {
        ...world.context.lanes,
        [line]: async (...args: never[]) => {
          if (line !== 'storeSent') await (world.context.lanes[line] as (...args: never[]) => Promise<unknown>)(...args)
          throw new Error('killed here')
        },
      },
    }
    await expect(pipeline.submit(dying)).rejects.toThrow('killed here')

    await world.run('submit')
    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 0n })
  })

  test('a tx that was mined before its send was noted is recognised by its event', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = [(await world.pay(payer)).id]
    await world.run('batch')
    const dying = {
      ...world.context,
      lanes: { ...world.context.lanes, storeSent: () => Promise.reject(new Error('killed here')) },
    }
    await expect(pipeline.submit(dying)).rejects.toThrow('killed here')
    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized'])
  })

  test('gives a batch another account nonce only when a foreign tx has used up the first, finally', async () => {
    const payer = await world.payerWith(2_000_000n)
    const [id = ''] = await world.submitted(payer)
    const bound = (await world.attempts()).at(-1)?.account_nonce
    await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
    const account = localAccounts.lanes[0]
    if (account === undefined) throw new Error('no lane')
    await world.client.sendTransaction({ account, to: account.address, value: 0n, chain: world.client.chain })
    await world.mine()
    await world.run('confirm', 'submit')
    expect((await world.attempts()).at(-1)?.account_nonce).toBe(bound)

    await world.settleDown()
    await world.run('submit', 'submit')
    expect((await world.attempts()).at(-1)?.account_nonce).toBe((bound ?? 0) + 1)
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 0n })
  })

  test('lets go of its lease after each run, so that any relayer that is woken may drive it', async () => {
    const payer = await world.payerWith(1_000_000n)
    const { id } = await world.pay(payer)
    await world.run('batch', 'submit')
    await pipeline.submit({ ...world.context, holder: 'another process' })
    expect(await world.context.lanes.lease(lane, 'a third process', 1)).toBeDefined()
    await world.context.lanes.release(lane, 'a third process')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
  })

  test('has one writer: a later holder fences the earlier one off, which then writes nothing', async () => {
    const { lanes } = world.context
    const earlier = await lanes.lease({ ...lane, signer: localAccounts.stranger.address }, 'first', 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    const later = await lanes.lease({ ...lane, signer: localAccounts.stranger.address }, 'second', 60_000)
    expect(await lanes.lease({ ...lane, signer: localAccounts.stranger.address }, 'third', 60_000)).toBeUndefined()
    if (earlier === undefined || later === undefined) throw new Error('no lease')
    expect(later.fence).toBeGreaterThan(earlier.fence)

    const payer = await world.payerWith(1_000_000n)
    const { id } = await world.pay(payer)
    await world.run('batch')
    const fees = { maxFeePerGasWei: 1n, maxPriorityFeePerGasWei: 1n }
    await expect(lanes.allocate(earlier, { firstNonce: 0, countMax: 1, fees })).rejects.toBeInstanceOf(FencedOffError)
    await world.run('submit')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
  })

  test('without gas money takes no batch and burns no nonce, and goes on when it is topped up', async () => {
    const payer = await world.payerWith(1_000_000n)
    const { id } = await world.pay(payer)
    await world.run('batch')
    await world.client.setBalance({ address: lane.signer, value: 1_000n })
    const nonce = await world.client.getTransactionCount({ address: lane.signer })
    await world.run('submit')
    expect(await world.stateOf(id)).toBe('batched')
    expect(await world.context.lanes.storedNonceMax(lane)).toBe(nonce - 1)

    await world.client.setBalance({ address: lane.signer, value: 10n ** 20n })
    await world.run('submit')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
  })

  test('a batch that no lane took for five minutes is dissolved, so that its payments can be cancelled', async () => {
    const payer = await world.payerWith(1_000_000n)
    const { id } = await world.pay(payer)
    await world.run('batch')
    const cancel = { id, reason: 'asked', isConsented: true, cancel: undefined }
    expect(await world.intents.cancel(cancel)).toMatchObject({ outcome: 'not_cancellable' })
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('batched')

    await world.ageBatches(300)
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('accepted')
    expect(await world.intents.cancel(cancel)).toEqual({ outcome: 'cancelling' })
  })

  test('waits while the market is above its cap, and recovers when fees fall', async () => {
    const payer = await world.payerWith(1_000_000n)
    const { id } = await world.pay(payer)
    await world.run('batch')
    await world.client.setNextBlockBaseFeePerGas({ baseFeePerGas: 600_000_000_000n })
    await world.mine()
    await world.run('submit')
    expect(await world.stateOf(id)).toBe('batched')
    // What comes meanwhile waits unbound, for one fuller batch.
    const later = await world.payerWith(1_000_000n)
    const second = await world.pay(later)
    await world.run('batch', 'submit')
    expect(await world.stateOf(second.id)).toBe('accepted')

    await world.client.setNextBlockBaseFeePerGas({ baseFeePerGas: 1_000_000_000n })
    await world.mine()
    await world.run('submit')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
  })
})
