import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linkOf, zeroLink } from '../../core/chained.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { domainSeparator } from '../../core/protocol/typed-data.ts'
import { startAnvil } from '../../scripts/embedded/chain-anvil.ts'
import { startHardhat } from '../../scripts/embedded/chain-hardhat.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { build } from '../../scripts/local/build.ts'
import { missing } from './chain.suite.ts'
import { anchor, deployed, namesOf } from './chain-modes.ts'
import { minedFromHere, tell } from './mined-node.ts'

const [payer, other, third] = localAccounts.payers as [P, P, P]
type P = (typeof localAccounts.payers)[number]
const allUsed = 2n ** 64n - 1n

describe.each([
  ['anvil', () => minedFromHere(startAnvil, 'anvil_mine')],
  ['Hardhat', () => minedFromHere(startHardhat, 'hardhat_mine')],
] as const)('three modes on %s', (_name, start) => {
  let node: Awaited<ReturnType<typeof start>>
  let scene: Awaited<ReturnType<typeof deployed>>
  beforeAll(async () => {
    await build()
    node = await start()
    scene = await deployed(node)
  })
  afterAll(() => node?.stop())

  /** Brings money into an account of the vault; returns the block of the deposit. */
  async function deposit(who: P, functionName: 'deposit' | 'depositChained', amount: bigint) {
    await scene.allow(who, scene.vault, amount)
    return scene.onVault(who, functionName, [scene.token, amount, scene.deployment.relayerId])
  }
  const chainedAt = async (who: P, hash: Hex) =>
    (await scene.ofVault.accounts({ mode: 'chained', token: scene.token }, [who.address], hash))[0]

  test('deposits go to the account that they name, and are told of it alone', async () => {
    const block = await deposit(payer, 'depositChained', 3_000n)
    const { deployment, ofVault, ofSettler, token } = scene
    const events = await ofVault.events(block)
    expect(namesOf(events)).toEqual([
      ['AccountChanged', 'chained'],
      ['Deposited', 'chained'],
    ])
    expect(events[1]).toMatchObject({ payer: payer.address, token, amount: 3_000n })
    expect(await chainedAt(payer, block.hash)).toEqual({
      ...{ balance: 3_000n, topNonce: 0n, nonceWindow: allUsed, head: zeroLink },
      ...{ relayerId: deployment.relayerId, withdrawAmount: 0n, isRebinding: false },
    })
    expect((await chainedAt(payer, block.parentHash))?.balance).toBe(0n)
    const independent = { mode: 'independent', token } as const
    expect(await ofVault.accounts(independent, [payer.address], block.hash)).toMatchObject([
      { balance: 0n, relayerId: 0 },
    ])
    expect(await ofSettler.events(block)).toEqual([])
  })

  test('what is asked back changes the account that it is asked of', async () => {
    await deposit(other, 'deposit', 900n)
    await deposit(other, 'depositChained', 800n)
    const asked = await scene.onVault(other, 'requestWithdrawChained', [scene.token, 500n])
    expect(namesOf(await scene.ofVault.events(asked))).toEqual([['AccountChanged', 'chained']])
    expect(await chainedAt(other, asked.hash)).toMatchObject({ balance: 800n, withdrawAmount: 500n })
    const independent = { mode: 'independent', token: scene.token } as const
    expect(await scene.ofVault.accounts(independent, [other.address], asked.hash)).toMatchObject([
      { balance: 900n, withdrawAmount: 0n },
    ])
    const also = await scene.onVault(other, 'requestWithdraw', [scene.token, 1n])
    expect(namesOf(await scene.ofVault.events(also))).toEqual([['AccountChanged', 'independent']])
    const undone = await scene.onVault(other, 'cancelWithdrawChained', [scene.token])
    expect(namesOf(await scene.ofVault.events(undone))).toEqual([['AccountChanged', 'chained']])
    expect(await chainedAt(other, undone.hash)).toMatchObject({ withdrawAmount: 0n })
  })

  test('a batch of runs has a bit for each run, and moves the account to its last link', async () => {
    const first = await scene.chained(payer, 1_000n, 1n, zeroLink)
    const second = await scene.chained(payer, 500n, 2n, linkOf(first, zeroLink, 1n))
    const misplaced = await scene.chained(other, 100n, 7n, zeroLink)
    const payload = scene.packRuns([
      { payer: payer.address, links: [first, second], signature: second.signature },
      { payer: other.address, links: [misplaced], signature: misplaced.signature },
    ])
    const { simulation, block, events, txHash } = await scene.settle(scene.ofVault, payload)
    expect(simulation.results).toBe('0x01')
    expect(events.filter(({ name }) => name === 'BatchSettled')).toMatchObject([
      {
        ...{ mode: 'chained', anchor, token: scene.token, relayerId: scene.deployment.relayerId, txHash },
        ...{ paymentCount: 3, bitCount: 2, results: '0x01' },
      },
    ])
    expect(await chainedAt(payer, block.hash)).toMatchObject({
      ...{ balance: 1_500n, topNonce: 2n, head: linkOf(second, linkOf(first, zeroLink, 1n), 1n) },
    })
    expect(await chainedAt(other, block.hash)).toMatchObject({ balance: 800n, topNonce: 0n, head: zeroLink })
  })

  test('the settler says of itself what the configuration must agree with, and whose vault it asks', async () => {
    const { deployment, ofSettler, pullSettler, separatorOf, token, tokenDomain, vault } = scene
    const lane = localAccounts.lanes[0]?.address ?? missing('a lane')
    const asked = { tokens: [token, payer.address], authorizing: [token], senders: [lane, payer.address], relayerId: 1 }
    expect(await ofSettler.vaultFacts(asked)).toEqual({
      ...{ home: vault, chainId: node.chainId, domainSeparator: separatorOf(pullSettler) },
      ...{ pauseSecondsMax: 7_200n, withdrawDelaySeconds: 86_400n, deadlineAheadSecondsMax: 43_200n },
      ...{ scales: [1n, 0n], relayerIds: [deployment.relayerId, 0] },
      acknowledger: localAccounts.acknowledger.address,
      tokenSeparators: [domainSeparator(tokenDomain)],
    })
  })

  test('a wallet has what it holds and what it allows at the named block, and is bound to whoever asks', async () => {
    const { deployment, ofSettler, ofVault, pullSettler, token } = scene
    const block = await scene.allow(third, pullSettler, 700n)
    const wallets = (hash: Hex) => ofSettler.accounts({ mode: 'pull', token }, [third.address, payer.address], hash)
    const bound = {
      topNonce: 0n,
      nonceWindow: 0n,
      relayerId: deployment.relayerId,
      withdrawAmount: 0n,
      isRebinding: false,
    }
    const [wallet, empty] = await wallets(block.hash)
    expect(wallet).toEqual({ ...bound, balance: 700n, allowance: 700n })
    expect(empty).toMatchObject({ balance: 0n, allowance: 0n })
    expect((await wallets(block.parentHash))[0]).toMatchObject({ allowance: 0n })
    expect(await ofVault.events(block)).toEqual([])
    expect(await ofSettler.permitNonces(token, [third.address])).toEqual([0n])
    await expect(wallets(`0x${'12'.repeat(32)}`)).rejects.toThrow(ChainUnavailableError)
  })

  test('a batch of pulls has a bit for each payment, by allowance first, and leaves nothing behind', async () => {
    const { deployment, ofSettler, ofVault, payee, token } = scene
    const paid = await scene.pull(third, 300n, 4n, 'allowance')
    const refused = await scene.pull(payer, 1n, 0n, 'allowance')
    const authorized = await scene.pull(third, 250n, 5n, 'authorization')
    const payload = scene.packPulls({ allowances: [paid, refused], authorizations: [authorized] })
    const { simulation, block, events, txHash } = await scene.settle(ofSettler, payload)
    expect(simulation.results).toBe('0x05')
    expect(events).toMatchObject([
      {
        ...{ name: 'BatchSettled', mode: 'pull', anchor, token, relayerId: deployment.relayerId, txHash },
        ...{ paymentCount: 3, bitCount: 3, results: '0x05' },
      },
    ])
    expect(await ofSettler.accounts({ mode: 'pull', token }, [third.address], block.hash)).toMatchObject([
      { balance: 150n, allowance: 400n, topNonce: 5n, nonceWindow: 3n },
    ])
    expect(await ofSettler.holdings([token], block.hash)).toEqual([0n])
    expect(await ofVault.events(block)).toEqual([])
    const [before, after] = await Promise.all([block.parentHash, block.hash].map((hash) => balanceOf(payee, hash)))
    expect((after ?? 0n) - (before ?? 0n)).toBe(550n)
  })

  test('a batch that is not taken is refused in the words of the contract that it went to', async () => {
    const { ofSettler, ofVault } = scene
    const { address: stranger } = localAccounts.stranger
    const lane = localAccounts.lanes[0]?.address ?? missing('a lane')
    const said = (reason: string) => ({ outcome: 'reverted', reason })
    for (const [chain, payload] of [
      [ofVault, '0x03'],
      [ofSettler, '0x04'],
    ] as const) {
      expect(await chain.simulate({ from: stranger, payload })).toEqual(said(`NotRelayer(${stranger})`))
      expect(await chain.simulate({ from: lane, payload })).toMatchObject(
        said(expect.stringMatching(/^Malformed\(length, 1, /)),
      )
    }
  })

  test('a paused vault pauses its settler', async () => {
    const { ofSettler, ofVault } = scene
    const lane = localAccounts.lanes[0]?.address ?? missing('a lane')
    const { hash } = await scene.onVault(localAccounts.owner, 'pause', [])
    expect([await ofVault.isPaused(hash), await ofSettler.isPaused(hash)]).toEqual([true, true])
    const payload = scene.packPulls({ allowances: [await scene.pull(third, 1n, 9n, 'allowance')], authorizations: [] })
    expect(await ofSettler.simulate({ from: lane, payload })).toMatchObject({
      reason: expect.stringMatching(/^IsPaused/),
    })
    const lifted = await scene.onVault(localAccounts.owner, 'unpause', [])
    expect(await ofSettler.isPaused(lifted.hash)).toBe(false)
  })

  test('what leaves a chained account a day after it was asked back is told of that account', async () => {
    await scene.onVault(other, 'requestWithdrawChained', [scene.token, 300n])
    await tell(node, 'evm_increaseTime', [86_401])
    const block = await scene.onVault(other, 'withdrawChained', [scene.token])
    const [event, ...more] = await scene.ofVault.events(block)
    expect(more).toEqual([])
    expect(event).toMatchObject({ name: 'Withdrawn', mode: 'chained', payer: other.address, amount: 300n })
    expect(await chainedAt(other, block.hash)).toMatchObject({ balance: 500n, withdrawAmount: 0n })
  })

  async function balanceOf(who: `0x${string}`, hash: Hex): Promise<bigint> {
    const [wallet] = await scene.ofSettler.accounts({ mode: 'pull', token: scene.token }, [who], hash)
    return wallet?.balance ?? missing('a wallet')
  }
})
