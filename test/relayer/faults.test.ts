import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { connectChain } from '../../adapters/evm/chain.ts'
import type { Chain } from '../../core/ports/chain.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import type { StageContext } from '../../relayer/stage.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** The real node behind a proxy that answers `eth_getLogs` with nothing while `isSilent` says so. */
async function nodeThatForgets(isSilent: () => boolean): Promise<Chain> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const { id, method }: { id: number; method: string } = JSON.parse(body)
    response.setHeader('content-type', 'application/json')
    if (method === 'eth_getLogs' && isSilent()) response.end(JSON.stringify({ jsonrpc: '2.0', id, result: [] }))
    else {
      const headers = { 'content-type': 'application/json' }
      response.end(await (await fetch(world.node.rpcUrl, { method: 'POST', headers, body })).text())
    }
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await new Promise((resolve) => server.once('listening', resolve))
  const rpcUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return connectChain({ ...world.config, rpcUrls: [rpcUrl], log: world.context.log })
}
const withChain = (change: Partial<Chain>): StageContext => ({
  ...world.context,
  chain: { ...world.context.chain, ...change },
})

describe('a node that tells less than it knows', () => {
  test('and answers no logs for a block with our batch: its receipts are asked, and the payment settles', async () => {
    const payer = await world.payerWith(5_000_000n)
    const chain = await nodeThatForgets(() => true)
    const ids = await world.submitted(payer)
    await world.mine(4)
    await pipeline.confirm({ ...world.context, chain })
    await pipeline.finalize({ ...world.context, chain })
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 3_000_000n })
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, state: { balance: 3_000_000n } })
  })

  test('and shows a receipt without its event: the walk stops there instead of going past a payment', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = await world.submitted(payer)
    await world.mine(4)
    await expect(pipeline.confirm(withChain({ events: async () => [] }))).rejects.toThrow('the event of 0x')
    await world.run('confirm', 'finalize')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
  })

  test('and shows neither event nor receipt: finality finds the batch that confirm went past, and includes it late', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = await world.submitted(payer)
    await world.mine(4)
    await pipeline.confirm(withChain({ events: async () => [], receipt: async () => ({ outcome: 'absent' }) }))
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['submitted', 'submitted'])
    await world.run('finalize')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
    expect(await world.accountOf(payer.address)).toMatchObject({ reserved: 0n, state: { balance: 0n } })
  })

  test('a batch of our id that came through another contract is not read from its calldata, which may say anything', async () => {
    // Books that know nothing of the batch, in a world of their own: in this one its attempt would stay open.
    const other = await createWorld()
    const payer = await other.payerWith(2_000_000n)
    const ids = await other.submitted(payer)
    await other.mine()
    const { chain, confirmation } = other.context
    const unknown = { ...confirmation, attemptsByTx: async () => [], openAttempts: async () => [] }
    const transaction: Chain['transaction'] = async (txHash) => {
      const found = await chain.transaction(txHash)
      return found.outcome === 'absent' ? found : { ...found, value: { ...found.value, to: payer.address } }
    }
    const through = { ...other.context, chain: { ...chain, transaction }, confirmation: unknown }
    await expect(pipeline.confirm(through)).rejects.toThrow('is no call of the contract')
    expect(await Promise.all(ids.map(other.stateOf))).toEqual(['submitted', 'submitted'])
    // The same tx, sent to the vault, is read.
    await pipeline.confirm({ ...other.context, confirmation: unknown })
    expect(await Promise.all(ids.map(other.stateOf))).toEqual(['included', 'included'])
  })

  test('and forgets an inclusion at finality: nothing becomes final before books and chain agree', async () => {
    const payer = await world.payerWith(2_000_000n)
    const ids = await world.submitted(payer)
    await world.mine(4)
    await world.run('confirm')
    await expect(pipeline.finalize(withChain({ events: async () => [] }))).rejects.toThrow('with the results of batch')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['included', 'included'])
    await world.run('finalize')
    expect(await Promise.all(ids.map(world.stateOf))).toEqual(['finalized', 'finalized'])
  })
})

describe('a batch that does not settle as a whole', () => {
  test('is halved until it fits one tx; the rest follows in the next', async () => {
    const payer = await world.payerWith(8_000_000n)
    const ids: string[] = []
    for (let nonce = 0n; nonce < 8n; nonce++) ids.push((await world.pay(payer, { nonce })).id)
    const { simulate } = world.context.chain
    const recordsMax = 3
    const capped = withChain({
      simulate: async (settlement) =>
        settlement.payload.length > 2 * (64 + 20 + recordsMax * 106 + 1)
          ? { outcome: 'too_big', reason: 'gas required exceeds allowance (16777216)' }
          : simulate(settlement),
    })
    for (let round = 0; round < 6; round++) {
      await pipeline.batch(capped)
      await world.run('submit')
      await world.settleDown()
    }
    expect(new Set(await Promise.all(ids.map(world.stateOf)))).toEqual(new Set(['finalized']))
    const sizes = (await world.batches()).slice(-4).map(({ payment_count }) => payment_count)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(recordsMax)
  })

  test('loses only the record that would revert it', async () => {
    const payer = await world.payerWith(5_000_000n)
    const poisoned = await world.pay(payer, { nonce: 0n, amount: 987_654n })
    const good: string[] = []
    for (let nonce = 1n; nonce < 5n; nonce++) good.push((await world.pay(payer, { nonce })).id)
    const { simulate } = world.context.chain
    const { signature } = poisoned.candidate
    const allergic = withChain({
      simulate: async (settlement) =>
        settlement.payload.includes(signature.slice(2))
          ? { outcome: 'reverted', reason: 'Panic(0x11)' }
          : simulate(settlement),
    })
    for (let round = 0; round < 3; round++) {
      await pipeline.batch(allergic)
      await world.run('submit')
      await world.settleDown()
    }
    expect(new Set(await Promise.all(good.map(world.stateOf)))).toEqual(new Set(['finalized']))
    expect(await world.stateOf(poisoned.id)).toBe('accepted')
  })
})
