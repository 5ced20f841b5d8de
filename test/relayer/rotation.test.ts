import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Address, Hex } from 'viem'
import { expect, test } from 'vitest'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import type { LaneSigner } from '../../core/ports/lane-signer.ts'
import { type Signer, SignerUnavailableError } from '../../core/ports/signer.ts'
import { expectNoOrphans, orphanedLanes } from '../../relayer/orphans.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const { context } = world

function laneOf(signer: Signer, isRetiring = false): LaneSigner {
  return {
    address: signer.address,
    isRetiring,
    sign: async ({ accountNonce, gasLimit, ...rest }) => {
      const { raw, hash } = await signTransaction({ ...rest, signer, nonce: accountNonce, gas: gasLimit })
      return { rawTx: raw, hash }
    },
  }
}
const [first, second] = localAccounts.lanes.map((account) => localSigner(privateKeyOf(account)))
const third = localSigner(privateKeyOf(localAccounts.stranger))
if (first === undefined || second === undefined) throw new Error('two lanes')
const run = (signers: readonly LaneSigner[], stage: 'batch' | 'submit') => pipeline[stage]({ ...context, signers })
const signerOf = async (): Promise<Address | undefined> => {
  const [bound] = await context.lanes.bound(world.config.chainId)
  return bound?.signer
}

/** A payment in a batch of its own, bound to a nonce of `signer` and sent, not mined. */
async function sentBy(signer: Signer): Promise<string> {
  const payer = await world.payerWith(1_000_000n)
  const { id } = await world.pay(payer)
  await world.run('batch')
  await run([laneOf(signer)], 'submit')
  return id
}

test('a lane that is added takes batches; the one that retires finishes its own and takes no more', async () => {
  const old = await sentBy(first)
  const payer = await world.payerWith(1_000_000n)
  // The deposit was mined, and the batch with it.
  expect(await world.stateOf(old)).toBe('finalized')
  const bound = await sentBy(first)
  const both = [laneOf(first, true), laneOf(second)]
  const { id } = await world.pay(payer)
  await run(both, 'batch')
  await run(both, 'submit')
  const lanes = await context.lanes.bound(world.config.chainId)
  expect(lanes.map(({ signer, batchCount }) => [signer, batchCount]).toSorted()).toEqual(
    [
      [first.address, 1],
      [second.address, 1],
    ].toSorted(),
  )
  await world.settleDown()
  expect([await world.stateOf(bound), await world.stateOf(id)]).toEqual(['finalized', 'finalized'])
  expect(await orphanedLanes({ ...context, signers: [laneOf(second)] })).toEqual([])
})

test('a lane that retires with nothing else to take batches leaves them unbound', async () => {
  const payer = await world.payerWith(1_000_000n)
  const { id } = await world.pay(payer)
  await world.run('batch')
  await run([laneOf(first, true)], 'submit')
  expect(await signerOf()).toBeUndefined()
  await run([laneOf(second)], 'submit')
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
})

test('without the signer of an open batch nothing starts, unless it is named as absent; and nobody else sends the batch', async () => {
  const id = await sentBy(first)
  const here = { ...context, signers: [laneOf(second)] }
  await expect(expectNoOrphans(here, [])).rejects.toThrow(
    `anvil: open batches are bound to signers that LANE_SIGNERS lacks (1 to ${first.address}).`,
  )
  expect(await expectNoOrphans(here, [first.address])).toMatchObject([{ signer: first.address, batchCount: 1 }])
  const attempts = await world.attempts()
  await pipeline.submit(here)
  expect(await world.attempts()).toEqual(attempts)

  expect(await expectNoOrphans({ ...here, signers: [laneOf(first, true), laneOf(second)] }, [])).toEqual([])
  // Included is not enough: a reorg would make the batch the lost signer's work again.
  await world.mine()
  await world.run('confirm')
  expect(await world.stateOf(id)).toBe('included')
  expect(await orphanedLanes(here)).toEqual([{ signer: first.address, batchCount: 1, ageSeconds: 0 }])
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
  expect(await expectNoOrphans(here, [])).toEqual([])
})

test('a lane whose sender the vault no longer knows hands its payments to the others, once its tx has failed, finally', async () => {
  const payer = await world.payerWith(1_000_000n)
  const { id } = await world.pay(payer)
  await world.run('batch')
  await run([laneOf(first)], 'submit')
  // Ahead of the batch in the same block.
  await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
  await world.onVault(localAccounts.owner, 'removeRelayer', [first.address])
  await world.mine()
  await world.age(60)
  await run([laneOf(first, true), laneOf(second)], 'submit')
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('accepted')

  // A payment that was refused waits a moment before it is tried again.
  while ((await signerOf()) === undefined) {
    await sleep(100)
    for (const stage of ['batch', 'submit'] as const) await run([laneOf(first, true), laneOf(second)], stage)
  }
  expect(await signerOf()).toBe(second.address)
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
  expect(await world.onChain(payer.address)).toMatchObject({ balance: 0n })
  await world.onVault(localAccounts.owner, 'addRelayer', [first.address, world.config.relayerId])
  await world.mine()
})

test.each([
  ['rotate-lane-key', 'a batch that is bound to the lane'],
  ['rotate-authority', 'an open collateralised promise'],
])('the question of the runbook %s counts %s until it is final', async (runbook) => {
  const page = await readFile(new URL(`../../docs/runbooks/${runbook}.md`, import.meta.url), 'utf8')
  const [, text = ''] = /```sql\n(.*?)```/s.exec(page) ?? []
  const question = text.replaceAll(':chain', `${world.config.chainId}`).replaceAll(':signer', first.address.slice(2))
  const count = async () => Number((await sql.raw<{ count: string }>(question).execute(world.database)).rows[0]?.count)
  expect(await count()).toBe(0)
  const payer = await world.payerWith(1_000_000n)
  const { id } = await world.pay(payer)
  await world.run('batch')
  await run([laneOf(first)], 'submit')
  expect(await count()).toBe(1)
  await world.mine()
  await world.run('confirm')
  expect([await world.stateOf(id), await count()]).toEqual(['included', 1])
  await world.settleDown()
  expect([await world.stateOf(id), await count()]).toEqual(['finalized', 0])
})

const dead: Signer = {
  address: first.address,
  signDigest: () => Promise.reject(new SignerUnavailableError('The key', 'its device is gone')),
}

test('custody that fails stops its own lane and no other, and goes on when it is back', async () => {
  const payers = [await world.payerWith(1_000_000n), await world.payerWith(1_000_000n)]
  const ids: string[] = []
  for (const [index, payer] of payers.entries()) {
    ids.push((await world.pay(payer)).id)
    await world.run('batch')
    // The first batch is bound to the dead lane alone.
    const lanes = index === 0 ? [laneOf(dead)] : [laneOf(dead), laneOf(second)]
    await expect(run(lanes, 'submit')).rejects.toBeInstanceOf(SignerUnavailableError)
  }
  await world.settleDown()
  expect(await Promise.all(ids.map(world.stateOf))).toEqual(['batched', 'finalized'])

  await run([laneOf(first)], 'submit')
  await world.settleDown()
  expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
})

test('custody that fails binds one batch to its lane, not as many as the lane could take', async () => {
  const ids: string[] = []
  const payers = [
    await world.payerWith(1_000_000n),
    await world.payerWith(1_000_000n),
    await world.payerWith(1_000_000n),
  ]
  for (const payer of payers) {
    ids.push((await world.pay(payer)).id)
    // As many batches wait as lanes may take them.
    await run([laneOf(first), laneOf(second), laneOf(third)], 'batch')
  }
  expect(await context.lanes.unassignedCount(world.config.chainId)).toBe(3)
  await expect(run([laneOf(dead)], 'submit')).rejects.toBeInstanceOf(SignerUnavailableError)
  expect(await context.lanes.bound(world.config.chainId)).toMatchObject([{ signer: first.address, batchCount: 1 }])

  // A lane whose custody answers takes all that is left, in one run.
  await run([laneOf(second)], 'submit')
  await world.settleDown()
  expect(await Promise.all(ids.map(world.stateOf))).toEqual(['batched', 'finalized', 'finalized'])
  await run([laneOf(first)], 'submit')
  await world.settleDown()
  expect(await world.stateOf(ids[0] ?? '')).toBe('finalized')
})

/** A payment whose tx was sent, forgotten by the node, and is old enough to be replaced. */
async function forgottenBy(lane: Signer): Promise<string> {
  const id = await sentBy(lane)
  await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
  await world.age(world.config.lane.replaceAfterMillis / 1_000)
  return id
}

test('while custody cannot sign a better paid attempt, the one before it is sent again', async () => {
  const id = await forgottenBy(first)
  await expect(run([laneOf(dead)], 'submit')).rejects.toBeInstanceOf(SignerUnavailableError)
  expect((await world.attempts()).slice(-2).map(({ state }) => state)).toEqual(['sent', 'prepared'])
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
})

test('after a reorg the newest signed attempt is sent again at once, even if custody cannot sign a newer one', async () => {
  const id = await forgottenBy(first)
  await expect(run([laneOf(dead)], 'submit')).rejects.toBeInstanceOf(SignerUnavailableError)
  await world.mine()
  await world.run('confirm')
  expect(await world.stateOf(id)).toBe('included')
  await world.client.request({ method: 'anvil_reorg', params: [1, []] } as never)
  await world.client.request({ method: 'anvil_dropAllTransactions' } as never)
  await world.mine()
  await world.run('confirm')
  expect(await world.stateOf(id)).toBe('submitted')

  await expect(run([laneOf(dead)], 'submit')).rejects.toBeInstanceOf(SignerUnavailableError)
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
})

test('an account nonce that a foreign tx used is given up at finality even if its newest attempt is unsigned', async () => {
  const id = await forgottenBy(first)
  const { lanes } = context
  const lease = await lanes.lease({ chainId: world.config.chainId, signer: first.address }, context.holder, 10_000)
  const [open] = lease === undefined ? [] : await lanes.openAttempts(lease)
  if (lease === undefined || open === undefined) throw new Error('nothing is open')
  await lanes.replace(lease, { id: open.id, fees: open.fees })
  await lanes.release(lease, context.holder)
  const [account] = localAccounts.lanes
  if (account === undefined) throw new Error('no lane')
  await world.client.sendTransaction({ account, to: account.address, value: 0n, chain: world.client.chain })
  await world.settleDown()

  await run([laneOf(dead, true)], 'submit')
  await run([laneOf(second)], 'submit')
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
})

test('a lane that retires without gas money is told of as an error while batches are bound to it', async () => {
  const id = await sentBy(first)
  const address = first.address
  const had = await world.client.getBalance({ address })
  await world.client.setBalance({ address, value: 1_000n })
  const errors: object[] = []
  const log = { ...context.log, error: (facts: object) => errors.push(facts) }
  await pipeline.submit({ ...context, log, signers: [laneOf(first, true)] })
  expect(errors).toMatchObject([{ signer: address, balanceWei: 1_000n }])

  await world.client.setBalance({ address, value: had })
  await world.age(world.config.lane.resendAfterMillis / 1_000)
  await run([laneOf(first, true)], 'submit')
  await world.settleDown()
  expect(await world.stateOf(id)).toBe('finalized')
  await pipeline.submit({ ...context, log, signers: [laneOf(first, true)] })
  expect(errors).toHaveLength(1)
})

test('of two signatures over one attempt only the stored one is sent: custody signs the same tx differently each time', async () => {
  const payer = await world.payerWith(1_000_000n)
  const { id } = await world.pay(payer)
  await world.run('batch')
  const { lanes, chain } = context
  const sent: Hex[] = []
  const send = (raw: Hex) => {
    sent.push(raw)
    return chain.send(raw)
  }
  const slow = {
    ...context,
    signers: [laneOf(first)],
    chain: { ...chain, send },
    lanes: {
      ...lanes,
      storeSigned: async (...[lease, attempt]: Parameters<typeof lanes.storeSigned>) => {
        // Another run of this process, under the same fence, was faster.
        await lanes.storeSigned(lease, { ...attempt, rawTx: '0x1234', hash: `0x${'77'.repeat(32)}` })
        return lanes.storeSigned(lease, attempt)
      },
    },
  }
  await pipeline.submit(slow)
  expect(sent).toEqual([])
  expect(await world.stateOf(id)).toBe('batched')
})
