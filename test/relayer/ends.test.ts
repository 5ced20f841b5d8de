import { describe, expect, test } from 'vitest'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, guarantees, types } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const chainSeconds = async () => Number((await world.client.getBlock()).timestamp)

describe('a cancelled payment', () => {
  test('stays cancelling with its money reserved until its deadline is final, when it was only asked for', async () => {
    const payer = await world.payerWith(1_000_000n)
    const deadline = BigInt((await chainSeconds()) + 300)
    const { id, admitted } = await world.pay(payer, { deadline })
    expect(admitted).toMatchObject({ acknowledgement: { guarantee: 'optimistic' } })
    expect(await world.intents.cancel({ id, reason: 'asked', isConsented: true, cancel: undefined })).toEqual({
      outcome: 'cancelling',
    })
    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('cancelling')
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 1_000_000n })

    await world.client.increaseTime({ seconds: 301 })
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('cancelled')
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, state: { balance: 1_000_000n } })
  })

  test('is cancelled as soon as its burnt nonce is final, when the payer signed the cancel', async () => {
    const payer = await world.payerWith(1_000_000n)
    const { id, candidate } = await world.pay(payer, { nonce: 3n })
    const { token, nonce } = candidate.payment
    const deadline = BigInt((await chainSeconds()) + 3_600)
    const message = { payer: payer.address, token, nonce, deadline }
    const signature = parseSignature(
      await payer.signTypedData({ domain: domainOf(world.config), types, primaryType: 'Cancel', message }),
    )
    if (signature.outcome !== 'ok') throw new Error('a test signs well')
    await world.intents.cancel({
      id,
      reason: 'asked',
      isConsented: true,
      cancel: { signature: signature.compact, deadline },
    })
    await world.run('batch', 'submit')
    expect(await world.stateOf(id)).toBe('cancelling')

    await world.settleDown()
    expect(await world.stateOf(id)).toBe('cancelled')
    expect(await world.accountOf(payer.address)).toMatchObject({
      reserved: 0n,
      state: { topNonce: 3n, balance: 1_000_000n },
    })
    expect(
      await world.client.readContract({
        address: world.config.vault,
        abi: vaultAbi,
        functionName: 'isNonceUsed',
        args: [payer.address, token, 3n],
      }),
    ).toBe(true)
  })
})

describe('an overdue promise', () => {
  test('is enforced by anyone who holds signature and acknowledgement, and the books follow', async () => {
    const payer = await world.payerWith(2_000_000n)
    const { id, candidate, admitted } = await world.pay(payer)
    if (admitted.outcome !== 'accepted') throw new Error('not accepted')
    const { acknowledgement: a } = admitted
    expect(a.guarantee).toBe('collateralised')
    const { payment } = candidate
    const { signature } = await world.sign(payer, payment)
    const args = [
      payment,
      signature,
      { ...a, guarantee: guarantees[a.guarantee] },
      a.proof,
      a.rootSignature,
      a.key,
      a.key.signature,
    ] as const
    const call = {
      address: world.config.vault,
      abi: vaultAbi,
      functionName: 'settleOverdue',
      args,
      account: localAccounts.stranger,
    } as const
    await world.client.setNextBlockTimestamp({ timestamp: a.settleBy })
    await world.mine()
    await expect(world.client.simulateContract(call)).rejects.toThrow('NotOverdue')

    await world.client.increaseTime({ seconds: 1 })
    await world.mine()
    await world.client.writeContract({ ...call, chain: world.client.chain, gas: 500_000n })
    await world.mine()
    await world.run('confirm')
    expect(await world.stateOf(id)).toBe('included')
    await world.run('batch')
    expect(await world.stateOf(id)).toBe('included')
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, state: { balance: 1_000_000n } })
    expect((await world.ledger()).get('vault')).toBe(await vaultHoldings())
  })
})

describe('a batch whose whole transaction reverts', () => {
  test('is dissolved when that is final, and its payments settle in another one', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = await world.submitted(payer)
    await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
    await world.onVault(localAccounts.owner, 'pause', [])
    await world.mine()
    await world.age(60)
    await world.run('submit')
    await world.mine()
    await world.run('confirm')
    expect((await world.batches()).at(-1)?.state).toBe('reverted')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['submitted', 'submitted'])

    await world.settleDown()
    expect((await world.batches()).at(-1)?.state).toBe('dissolved')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['accepted', 'accepted'])
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    await world.run('batch')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['accepted', 'accepted'])

    await world.onVault(localAccounts.owner, 'unpause', [])
    await world.settleDown()
    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 0n })
  })
})

async function vaultHoldings(): Promise<bigint> {
  const { erc20Abi } = await import('viem')
  return world.client.readContract({
    address: world.token.address,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [world.config.vault],
  })
}
