import { describe, expect, test } from 'vitest'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { createWorld } from './world.ts'

const world = await createWorld()

/** Replaces the newest blocks by as many empty ones: what they held is back in no pool. */
const reorg = (blocks: number) => world.client.request({ method: 'anvil_reorg', params: [blocks, []] } as never)

describe('a reorg', () => {
  test('takes an included payment back to submitted, sends its tx again, and settles it once', async () => {
    const payer = await world.payerWith(3_000_000n)
    const ids = await world.submitted(payer)
    await world.mine()
    await world.run('confirm')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['included', 'included'])

    await reorg(1)
    await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
    await world.mine()
    await world.run('confirm')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['submitted', 'submitted'])
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 2_000_000n })

    await world.run('submit')
    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 1_000_000n })
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, state: { balance: 1_000_000n } })
  })

  test('below a final block stops the chain with one sentence instead of guessing', async () => {
    await world.mine(5)
    await world.run('confirm', 'finalize')
    const view = await world.context.confirmation.view(world.config.chainId, world.config.vault)
    await reorg(4)
    await world.mine()
    await expect(world.run('confirm')).rejects.toThrow(`final: ${view?.finalizedNumber}`)
    // Nothing below it can be trusted any more, so this world ends here.
  })
})

describe('a node that lags', () => {
  test('moves nothing back: it is behind, it does not disagree', async () => {
    const other = await createWorld()
    const payer = await other.payerWith(2_000_000n)
    const [id = ''] = await other.submitted(payer)
    await other.mine()
    await other.run('confirm')
    const { chain } = other.context
    const head = await chain.head()
    const behind = await chain.blockByNumber(head.number - 1n)
    if (behind.outcome === 'absent') throw new Error('no parent')
    const lagging = { ...other.context, chain: { ...chain, head: async () => behind.value } }
    const { pipeline } = await import('../../relayer/pipeline.ts')
    await pipeline.confirm(lagging)
    expect(await other.stateOf(id)).toBe('included')
  })

  test('and answers after one that is ahead did is no fork: nothing moves, and the question is asked again', async () => {
    const other = await createWorld()
    const payer = await other.payerWith(2_000_000n)
    const [id = ''] = await other.submitted(payer)
    await other.mine()
    await other.run('confirm')
    await other.mine()
    const { chain } = other.context
    const absent = {
      ...other.context,
      chain: { ...chain, blockByNumber: async () => ({ outcome: 'absent' }) as const },
    }
    const { pipeline } = await import('../../relayer/pipeline.ts')
    await expect(pipeline.confirm(absent)).rejects.toThrow(ChainUnavailableError)
    expect(await other.stateOf(id)).toBe('included')
  })
})
