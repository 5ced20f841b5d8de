import { type Address, type Hex, keccak256, parseAbi, toHex } from 'viem'
import type { HDAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectChain } from '../../adapters/evm/chain.ts'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import {
  type AccountKey,
  type Block,
  type Chain,
  ChainUnavailableError,
  type VaultEvent,
} from '../../core/ports/chain.ts'
import type { Log } from '../../core/ports/log.ts'
import { decodeResults, encodeBatch } from '../../core/protocol/packed.ts'
import { settleCalldata } from '../../core/protocol/settle-calldata.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, domainSeparator, paymentDigest, zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { type Deployment, deploy, localWallet } from '../../scripts/local/deploy.ts'

export type Node = { readonly rpcUrl: string; readonly chainId: number; stop(): Promise<void> }
export const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
function nothing(): void {
  // What the adapter logs is not what is tested here.
}
const tokenAbi = parseAbi(['function mint(address, uint256)', 'function approve(address, uint256) returns (bool)'])
const unknownHash: Hex = `0x${'12'.repeat(32)}`

/** A vault and tokens on a running node, and what tests do to them. */
export async function settle(node: Node) {
  const deployment = await deploy(node)
  const token = deployment.tokens[0]?.address ?? missing('a token')
  const chain = connectChain({ ...deployment, chainId: node.chainId, rpcUrls: [node.rpcUrl], log: silent })
  const foundBlock = async (hash: Hex): Promise<Block> => {
    const found = await chain.blockByHash(hash)
    return found.outcome === 'found' ? found.value : missing(`block ${hash}`)
  }
  return {
    ...{ deployment, token, chain, foundBlock },
    /** Returns the block of the deposit. */
    async deposit(payer: HDAccount, amount: bigint): Promise<Block> {
      const { call } = localWallet({ rpcUrl: node.rpcUrl, account: payer })
      await call({ address: token, abi: tokenAbi, functionName: 'mint', args: [payer.address, amount] })
      await call({ address: token, abi: tokenAbi, functionName: 'approve', args: [deployment.vault, amount] })
      const args = [token, amount, deployment.relayerId]
      return foundBlock(
        (await call({ address: deployment.vault, abi: vaultAbi, functionName: 'deposit', args })).blockHash,
      )
    },
    /** A batch of one payment, packed. */
    async pay(payer: HDAccount, payment: { amount: bigint; nonce: bigint; at: Block }): Promise<Hex> {
      const { amount, nonce, at } = payment
      const payee = localAccounts.merchants[0]?.address ?? missing('a merchant')
      const signed = {
        ...{ payer: payer.address, payee, token, amount, nonce },
        deadline: at.at + 3600n,
        orderRef: zeroOrderRef,
      }
      const digest = paymentDigest(
        domainSeparator(domainOf({ chainId: node.chainId, vault: deployment.vault })),
        signed,
      )
      const signature = parseSignature(await localSigner(privateKeyOf(payer)).signDigest(digest))
      if (signature.outcome !== 'ok') throw new Error(signature.reason)
      const payments = [{ ...signed, signature: signature.compact }]
      return encodeBatch({ token, scale: 1n, anchor: keccak256(toHex('anchor')), payments, cancels: [] })
    },
  }
}

/** What every node must make of the Chain port. `mine` mines one block now. */
export function testChain(
  name: string,
  start: () => Promise<Node & { readonly pause: () => Promise<void>; readonly mine: () => Promise<void> }>,
): void {
  describe(`the chain behind ${name}`, () => {
    let node: Awaited<ReturnType<typeof start>>
    let vault: Deployment
    let chain: Chain
    let scene: Awaited<ReturnType<typeof settle>>
    let deposited: Block
    let independent: Pick<AccountKey, 'mode' | 'token'>
    const payer = localAccounts.payers[0] ?? missing('a payer')
    const lane = localAccounts.lanes[0] ?? missing('a lane')
    beforeAll(async () => {
      node = await start()
      scene = await settle(node)
      ;({ deployment: vault, chain } = scene)
      independent = { mode: 'independent', token: scene.token }
      deposited = await scene.deposit(payer, 5_000n)
    })
    afterAll(() => node?.stop())

    test('says of itself and of the vault what the configuration must agree with', async () => {
      expect(await chain.chainId()).toBe(node.chainId)
      const lane = localAccounts.lanes[0]?.address ?? missing('a lane')
      const asked = {
        tokens: [scene.token, payer.address],
        authorizing: [],
        senders: [lane, payer.address],
        relayerId: vault.relayerId,
      }
      expect(await chain.vaultFacts(asked)).toEqual({
        home: vault.vault,
        chainId: node.chainId,
        domainSeparator: domainSeparator(domainOf({ chainId: node.chainId, vault: vault.vault })),
        pauseSecondsMax: 7_200n,
        withdrawDelaySeconds: 86_400n,
        deadlineAheadSecondsMax: 43_200n,
        scales: [1n, 0n],
        relayerIds: [vault.relayerId, 0],
        acknowledger: localAccounts.acknowledger.address,
        tokenSeparators: [],
      })
      expect(await chain.isPaused(deposited.hash)).toBe(false)
    })

    test('a vault that is not there is no answer, rather than an empty one', async () => {
      const elsewhere = connectChain({
        chainId: node.chainId,
        rpcUrls: [node.rpcUrl],
        vault: payer.address,
        relayerId: vault.relayerId,
        log: silent,
      })
      await expect(elsewhere.vaultFacts({ tokens: [], authorizing: [], senders: [], relayerId: 1 })).rejects.toThrow(
        ChainUnavailableError,
      )
      await expect(elsewhere.isPaused(deposited.hash)).rejects.toThrow(ChainUnavailableError)
    })

    test('a block is the same by number and by hash, its parent is the one before, and an unknown one is absent', async () => {
      expect(await chain.blockByNumber(deposited.number)).toEqual({ outcome: 'found', value: deposited })
      const before = await chain.blockByNumber(deposited.number - 1n)
      expect(before).toMatchObject({ value: { hash: deposited.parentHash } })
      expect(await chain.blockByHash(unknownHash)).toEqual({ outcome: 'absent' })
      expect(await chain.blockByNumber(2n ** 40n)).toEqual({ outcome: 'absent' })
    })

    test('the finalized block is never above the head', async () => {
      const finalized = await chain.finalized()
      if (finalized.outcome === 'found') expect(finalized.value.number).toBeLessThanOrEqual((await chain.head()).number)
    })

    test("a deposit is the vault's two events, in log order, without the token's own", async () => {
      const { hash: blockHash, number: blockNumber } = deposited
      const events = await chain.events(deposited)
      expect(events.map((event) => event.name)).toEqual(['AccountChanged', 'Deposited'])
      expect(events.map((event) => event.logIndex)).toEqual(
        [...events.map((event) => event.logIndex)].sort((a, b) => a - b),
      )
      expect(events[1]).toMatchObject({
        payer: payer.address,
        token: scene.token,
        mode: 'independent',
        amount: 5_000n,
        blockHash,
        blockNumber,
      })
    })

    test('holdings are what the tokens say of the vault at the named block', async () => {
      const [, other] = vault.tokens
      const tokens = [scene.token, other?.address ?? missing('another token')]
      expect(await chain.holdings(tokens, deposited.parentHash)).toEqual([0n, 0n])
      expect(await chain.holdings(tokens, deposited.hash)).toEqual([5_000n, 0n])
      expect(await chain.holdings([], deposited.hash)).toEqual([])
      await expect(chain.holdings([payer.address], deposited.hash)).rejects.toThrow(ChainUnavailableError)
      await expect(chain.holdings(tokens, unknownHash)).rejects.toThrow(ChainUnavailableError)
    })

    test('state is that of the named block, although a later one says otherwise', async () => {
      const accountAt = async (hash: Hex) => (await chain.accounts(independent, [payer.address, lane.address], hash))[0]
      expect(await accountAt(deposited.parentHash)).toMatchObject({ balance: 0n, relayerId: 0 })
      expect(await accountAt(deposited.hash)).toMatchObject({
        balance: 5_000n,
        relayerId: vault.relayerId,
        isRebinding: false,
      })
      const nonce = await chain.accountNonce(payer.address, deposited.hash)
      expect(await chain.accountNonce(payer.address, deposited.parentHash)).toBe(nonce - 1)
    })

    test('accounts come in the order of the payers, also over more than one call', async () => {
      const payers = Array.from({ length: 501 }, (_, i): Address => `0x${(i + 1).toString(16).padStart(40, '0')}`)
      const accounts = await chain.accounts(independent, [...payers, payer.address], deposited.hash)
      expect(accounts.map(({ balance }) => balance)).toEqual([...payers.map(() => 0n), 5_000n])
    })

    test('state, logs and nonces of an unknown block are no answer', async () => {
      const unknown = { ...deposited, hash: unknownHash }
      await expect(chain.events(unknown)).rejects.toThrow(ChainUnavailableError)
      await expect(chain.accounts(independent, [payer.address], unknownHash)).rejects.toThrow(ChainUnavailableError)
      await expect(chain.isPaused(unknownHash)).rejects.toThrow(ChainUnavailableError)
      await expect(chain.accountNonce(payer.address, unknownHash)).rejects.toThrow(ChainUnavailableError)
    })

    test("a revert is named by the vault's own error and its arguments", async () => {
      const { address: from } = localAccounts.stranger
      expect(await chain.simulate({ from, payload: '0x01' })).toEqual({
        outcome: 'reverted',
        reason: `NotRelayer(${from})`,
      })
      expect(await chain.simulate({ from: lane.address, payload: '0x01' })).toEqual({
        outcome: 'reverted',
        reason: 'Malformed(length, 1, 64)',
      })
    })

    test('a batch is simulated, sent, known when sent again, and found in the event of its block', async () => {
      const payload = await scene.pay(payer, { amount: 1_000n, nonce: 0n, at: deposited })
      const simulation = await chain.simulate({ from: lane.address, payload })
      if (simulation.outcome !== 'ran') throw new Error(simulation.reason)
      expect(decodeResults(simulation.results, 1)).toEqual([true])

      const market = await chain.market()
      const { raw, hash } = await signTransaction({
        signer: localSigner(privateKeyOf(lane)),
        chainId: node.chainId,
        nonce: await chain.accountNonce(lane.address),
        to: vault.vault,
        data: settleCalldata(payload),
        gas: simulation.gasUsed,
        fees: { maxFeePerGasWei: 2n * market.baseFeePerGasWei + 1n, maxPriorityFeePerGasWei: 1n },
      })
      expect(await chain.receipt(hash)).toEqual({ outcome: 'absent' })
      expect(await chain.transaction(hash)).toEqual({ outcome: 'absent' })
      await node.pause()
      expect(await chain.send(raw)).toEqual({ outcome: 'sent' })
      expect(await chain.send(raw)).toEqual({ outcome: 'known' })
      const facts = { to: vault.vault, from: lane.address, input: settleCalldata(payload) }
      expect(await chain.transaction(hash)).toEqual({ outcome: 'found', value: facts })
      expect(await chain.mined(hash)).toEqual({ outcome: 'absent' })
      await node.mine()
      expect(await chain.send(raw)).toMatchObject({ outcome: expect.stringMatching(/known|nonce_too_low/) })

      const receipt = await chain.receipt(hash)
      if (receipt.outcome !== 'found') throw new Error('no receipt')
      expect(receipt.value.isSuccess).toBe(true)
      expect(receipt.value.gasUsed).toBeLessThanOrEqual(simulation.gasUsed)
      const [event] = (await chain.events(await scene.foundBlock(receipt.value.blockHash))).filter(isBatch)
      expect(event).toMatchObject({
        ...{ anchor: keccak256(toHex('anchor')), token: scene.token, relayerId: vault.relayerId },
        ...{ mode: 'independent', paymentCount: 1, bitCount: 1, results: simulation.results, txHash: hash },
      })
      const [account] = await chain.accounts(independent, [payer.address], receipt.value.blockHash)
      expect(account).toMatchObject({ balance: 4_000n, topNonce: 0n, nonceWindow: 1n })

      const { isSuccess: _isSuccess, ...place } = receipt.value
      const mined = await chain.mined(hash)
      expect(mined).toMatchObject({
        outcome: 'found',
        value: { hash, ...place, status: 1n, input: settleCalldata(payload) },
      })
      if (mined.outcome !== 'found' || event === undefined) throw new Error('not mined')
      expect(mined.value.effectiveGasPriceWei).toBeGreaterThan(0n)
      expect(mined.value.logs.map(({ logIndex }) => logIndex)).toContain(event.logIndex)
      expect(await chain.mined(keccak256(toHex('no such tx')))).toEqual({ outcome: 'absent' })
    })

    test('what a node says against a tx is told apart: a spent nonce, a bid that is too low, a refusal', async () => {
      await node.pause()
      const signer = localSigner(privateKeyOf(localAccounts.lanes[1] ?? missing('a second lane')))
      const nonce = await chain.accountNonce(signer.address)
      const { baseFeePerGasWei } = await chain.market()
      const bid = (over: { nonce?: number; tip?: bigint; gas?: bigint; chainId?: number }) =>
        signTransaction({
          signer,
          chainId: over.chainId ?? node.chainId,
          nonce: over.nonce ?? nonce,
          ...{ to: payer.address, data: '0x', gas: over.gas ?? 30_000n },
          fees: {
            maxFeePerGasWei: 2n * baseFeePerGasWei + (over.tip ?? 1_000_000_000n),
            maxPriorityFeePerGasWei: over.tip ?? 1_000_000_000n,
          },
        })
      const sent = async (over: Parameters<typeof bid>[0]) => (await chain.send((await bid(over)).raw)).outcome
      expect(await sent({})).toBe('sent')
      expect(await sent({ tip: 1n })).toBe('underpriced')
      expect(await sent({ tip: 10_000_000_000n })).toBe('sent')
      expect(await sent({ nonce: nonce + 1, gas: 100n })).toBe('refused')
      expect(await sent({ nonce: nonce + 1, gas: 2n ** 24n + 1n })).toBe('refused')
      expect(await sent({ nonce: nonce + 1, chainId: 5 })).toBe('refused')
      await node.mine()
      expect(await sent({ tip: 20_000_000_000n })).toBe('nonce_too_low')
    })

    test('a signer without a wei is refused, in words', async () => {
      const { raw } = await signTransaction({
        signer: localSigner(`0x${'17'.repeat(32)}`),
        ...{ chainId: node.chainId, nonce: 0, to: payer.address, data: '0x', gas: 30_000n },
        fees: { maxFeePerGasWei: 10n ** 10n, maxPriorityFeePerGasWei: 1n },
      })
      expect(await chain.send(raw)).toEqual({
        outcome: 'refused',
        reason: expect.stringMatching(/enough funds|insufficient funds/i),
      })
    })

    test('the market asks at least one wei of priority', async () => {
      const market = await chain.market()
      expect(market.baseFeePerGasWei).toBeGreaterThan(0n)
      expect(market.priorityFeePerGasWei).toBeGreaterThanOrEqual(1n)
      expect(await chain.balanceWei(lane.address)).toBeGreaterThan(0n)
    })
  })
}

function isBatch(event: VaultEvent): event is VaultEvent & { name: 'BatchSettled' } {
  return event.name === 'BatchSettled'
}

export function missing(what: string): never {
  throw new Error(`${what} is missing`)
}
