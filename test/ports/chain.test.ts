import { beforeAll, describe, expect, test } from 'vitest'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { startHardhat } from '../../scripts/embedded/chain-hardhat.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { missing, settle, testChain } from './chain.suite.ts'
import { minedFromHere, tell } from './mined-node.ts'

beforeAll(build)

testChain('anvil', () => minedFromHere(startAnvil, 'anvil_mine'))
testChain('Hardhat', () => minedFromHere(startHardhat, 'hardhat_mine'))

describe('a reorg on anvil', () => {
  test('a dropped block is absent by its hash, has no events, and its state is no answer', async () => {
    const node = await minedFromHere(startAnvil, 'anvil_mine')
    try {
      const { chain, token, deposit } = await settle(node)
      const payer = localAccounts.payers[0] ?? missing('a payer')
      const dropped = await deposit(payer, 700n)
      await node.pause()
      const depth = Number((await chain.head()).number - dropped.number) + 1
      await tell(node, 'anvil_reorg', [depth, []])

      expect(await chain.blockByHash(dropped.hash)).toEqual({ outcome: 'absent' })
      await expect(chain.events(dropped)).rejects.toThrow(ChainUnavailableError)
      await expect(chain.accounts({ mode: 'independent', token }, [payer.address], dropped.hash)).rejects.toThrow(
        ChainUnavailableError,
      )
      const successor = await chain.blockByNumber(dropped.number)
      if (successor.outcome !== 'found') throw new Error('no block in its place')
      expect(successor.value.hash).not.toBe(dropped.hash)
      expect(successor.value.parentHash).toBe(dropped.parentHash)
      expect(await chain.accounts({ mode: 'independent', token }, [payer.address], successor.value.hash)).toMatchObject(
        [{ balance: 0n }],
      )
    } finally {
      await node.stop()
    }
  })

  test('a rollback leaves an earlier head, and what was above it is absent', async () => {
    const node = await minedFromHere(startAnvil, 'anvil_mine')
    try {
      const { chain, deposit } = await settle(node)
      const dropped = await deposit(localAccounts.payers[0] ?? missing('a payer'), 700n)
      await node.pause()
      await tell(node, 'anvil_rollback', [Number((await chain.head()).number - dropped.number) + 1])
      expect((await chain.head()).number).toBe(dropped.number - 1n)
      expect(await chain.blockByNumber(dropped.number)).toEqual({ outcome: 'absent' })
      await expect(chain.events(dropped)).rejects.toThrow(ChainUnavailableError)
    } finally {
      await node.stop()
    }
  })
})
