import { readFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { createWebhookKeys } from '../../adapters/crypto/webhook-keys.ts'
import { type PaymentFacts, renderPaymentEvent } from '../../core/protocol/webhook.ts'
import { createBackend } from '../../sdk/examples/backend.ts'
import { payOrder } from '../../sdk/examples/page.ts'
import { tellPromise } from '../../sdk/examples/proof.ts'
import type { AcknowledgementJson } from '../../sdk/intent.ts'
import { createWallet } from '../../sdk/wallet.ts'
import { createWorld, serve } from './world.ts'

const world = await createWorld()
const [payer] = world.payers
if (payer === undefined) throw new Error('no payer')
await world.depositFor(payer)
await world.see()
const facts = await world.clientOf('merchant').facts()
const { chainId, payee, token } = world
const shipped: (string | null)[] = []
const backend = await createBackend({
  ...{ api: world.url, credentials: world.credentials('merchant'), facts, endpointId: 'we_1' },
  ship: (reference) => shipped.push(reference),
})
const { url } = await serve(backend.answer)

/** The payment of an order. */
const claimed = async (id: string) => (await world.get(`/v1/orders/${id}`, { as: 'merchant' })).body.payment.id

describe('the examples of docs/sdk.md', () => {
  test('register an order, pay it from a page, and see it through to its end', async () => {
    const terms = { chainId, payee, token: token.address, amount: 12_500_000n }
    const order = await backend.order({ ...terms, reference: 'invoice 4711' }, '4711')
    expect((await backend.order({ ...terms, reference: 'invoice 4711' }, '4711')).id).toBe(order.id)
    const shown: string[] = []
    let settling: Promise<void> | undefined
    const paid = await payOrder({
      ...{ provider: world.walletOf(payer).provider, facts, backend: url },
      order: { ...terms, order: { id: order.id, orderRef: order.orderRef } },
      show: (state) => {
        shown.push(state)
        if (state === 'accepted') settling = claimed(order.id).then(world.settle)
      },
    })
    await settling
    expect([paid, shown]).toEqual([true, ['accepted', 'batched', 'submitted', 'included', 'finalized']])
  })

  test('ship once for a final payment that ICE told of, and never for what others say', async () => {
    const facts: PaymentFacts = {
      ...{ intentId: 'pi_1', sequence: 5, state: 'finalized', reason: undefined, at: new Date().toISOString() },
      ...{ chainId, digest: '0x01', payer: '0x02', payee, token: token.address, amount: 12_500_000n },
      ...{ orderId: 'po_1', reference: 'invoice 4711', batchId: undefined, txHash: undefined },
      ...{ blockNumber: 7n, blockHash: undefined },
    }
    const post = async (appId: string, change = (body: string) => body) => {
      const body = renderPaymentEvent({ endpointId: 'we_1', appId }, facts)
      const sent = { id: 'wd_1', timestamp: Math.floor(Date.now() / 1000), body }
      const headers = createWebhookKeys(world.ports.secrets).sign({
        ...sent,
        hmac: { endpointId: 'we_1', versions: [] },
      })
      return (await fetch(`${url}/webhook`, { method: 'POST', headers: { ...headers }, body: change(body) })).status
    }
    expect(await post('merchant', (body) => body.replace('4711', '4712'))).toBe(401)
    expect(await post('thief')).toBe(401)
    expect(shipped).toEqual([])
    expect([await post('merchant'), await post('merchant')]).toEqual([204, 204])
    expect(shipped).toEqual(['invoice 4711'])
  })

  test('say what a promise is worth', async () => {
    const { provider } = world.walletOf(payer)
    const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider })
    const { signed, submitted } = await wallet.pay(world.terms(payer))
    const acknowledgement = submitted.acknowledgement as AcknowledgementJson
    const { settleBy } = acknowledgement
    const time = new Date(Number(settleBy) * 1000).toISOString()
    expect(await tellPromise(acknowledgement, signed, facts)).toMatch(`settled by ${time}`)
    const later = { ...acknowledgement, settleBy: `${BigInt(settleBy) - 1n}` }
    expect(await tellPromise(later, signed, facts)).toMatch('worth nothing')
  })

  test.each(['docs/sdk.md', 'docs/zh/sdk.md'])('are the ones that run, letter by letter, in %s', async (page) => {
    const text = await readFile(new URL(`../../${page}`, import.meta.url), 'utf8')
    const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
    const files = await Promise.all(
      ['page', 'backend', 'proof'].map(async (name) => {
        const code = await readFile(new URL(`../../sdk/examples/${name}.ts`, import.meta.url), 'utf8')
        return code.replaceAll(/'\.\.\/([a-z]+)\.ts'/g, "'@ice-relayer/sdk/$1'")
      }),
    )
    expect(blocks).toEqual(files)
  })
})
