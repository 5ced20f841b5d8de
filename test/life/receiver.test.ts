import { afterAll, expect, test } from 'vitest'
import { createSecrets } from '../../adapters/crypto/secrets.ts'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { type Addressee, type PaymentFacts, renderPaymentEvent } from '../../core/protocol/webhook.ts'
import { startReceiver } from '../../scripts/story/receiver.ts'

const keys = createWebhookKeys(createSecrets([`0x${'5e'.repeat(32)}`]))
const own: Addressee = { endpointId: 'we_01k9v3j8h2fq4b6m1x0c7d5e9s', appId: 'shop' }
const facts: PaymentFacts = {
  ...{ intentId: 'pi_01k9v3m0yqe9n8z6w2t4r5x7ac', sequence: 5, state: 'finalized', reason: undefined },
  ...{ at: '2026-11-23T09:30:00.000Z', chainId: 31337, digest: `0x${'5d'.repeat(32)}`, amount: 1n },
  payer: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  payee: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
  token: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
  ...{ orderId: undefined, reference: 'INV-7', batchId: undefined },
  ...{ txHash: undefined, blockNumber: undefined, blockHash: undefined },
}

const receiver = await startReceiver(keys.publicKeys)
afterAll(receiver.stop)

/** What ICE signed for `addressee`, posted to this receiver, whoever posts it. */
async function posted(id: string, addressee: Addressee, told = facts): Promise<number> {
  const body = renderPaymentEvent(addressee, told)
  const hmac = { endpointId: addressee.endpointId, versions: [] }
  const headers = keys.sign({ id, timestamp: Math.floor(Date.now() / 1000), body, hmac })
  return (await fetch(receiver.url, { method: 'POST', headers, body })).status
}

test('a backend refuses what was genuinely signed for another endpoint or app, and takes its own once', async () => {
  const early = posted('wd_1', own)
  receiver.takeFor(own)
  expect(await early).toBe(204)
  expect(await posted('wd_2', { ...own, endpointId: 'we_01k9v3j8h2fq4b6m1x0c7d5e9t' })).toBe(401)
  expect(await posted('wd_2', { ...own, appId: 'rival' })).toBe(401)
  expect(await posted('wd_1', own)).toBe(204)
  expect(await posted('wd_3', own)).toBe(204)
  expect(await posted('wd_4', own, { ...facts, sequence: 6 })).toBe(204)
  expect(receiver.taken.map(({ data }) => data.sequence)).toEqual([5, 6])
  expect(receiver.refusedCount()).toBe(2)
})
