import { beforeAll, expect, test } from 'vitest'
import type { IntentView as ApiIntentView } from '../../api/schemas/intent.ts'
import type { OrderView as ApiOrderView } from '../../api/schemas/order.ts'
import type { Facts } from '../../sdk/facts.ts'
import type { IntentView } from '../../sdk/intent.ts'
import { createMerchant, type Merchant, type OrderView } from '../../sdk/merchant.ts'
import { createWallet } from '../../sdk/wallet.ts'
import { createWorld, type World } from './world.ts'

let world: World
let facts: Facts
let merchant: Merchant

beforeAll(async () => {
  world = await createWorld()
  facts = await world.clientOf('merchant').facts()
  merchant = createMerchant({ client: world.clientOf('merchant'), facts, appId: 'merchant' })
  await world.depositFor(payer())
  await world.see()
})

function payer() {
  const [account] = world.payers
  if (account === undefined) throw new Error('no payer')
  return account
}
const orderTerms = (reference: string, amount = 1_000_000n) => {
  const { chainId, payee, token } = world
  return { chainId, payee, token: token.address, amount, reference }
}
async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

test('an order is registered once per key, and read back', async () => {
  const key = 'order-4711-of-the-shop'
  const order = await merchant.createOrder(orderTerms('invoice 4711'), { key })
  expect(order).toMatchObject({ state: 'open', amount: '1000000', reference: 'invoice 4711', payment: null })
  expect(await merchant.createOrder(orderTerms('invoice 4711'), { key })).toEqual(order)
  expect(await merchant.readOrder(order.id)).toEqual(order)
  const other = merchant.createOrder(orderTerms('invoice 4712'), { key })
  await expect(other).rejects.toMatchObject({ name: 'IceError', code: 'idempotency_key_reused', status: 422 })
  await expect(merchant.readOrder('po_none')).rejects.toMatchObject({ code: 'not_found' })
})

test('orders come page by page, newest first, each once, and filters go with every page', async () => {
  const references = Array.from({ length: 7 }, (_, index) => `page ${index}`)
  for (const reference of references) await merchant.createOrder(orderTerms(reference, 2_000_000n))
  const listed = await all(merchant.listOrders({ limit: 3 }))
  expect(listed.map(({ reference }) => reference).slice(0, 7)).toEqual(references.toReversed())
  expect(new Set(listed.map(({ id }) => id)).size).toBe(listed.length)
  const found = await all(merchant.listOrders({ reference: 'page 4', limit: 1 }))
  expect(found.map(({ reference }) => reference)).toEqual(['page 4'])
})

test('a list that is left asks for no further page', async () => {
  const asked: string[] = []
  const client = world.clientOf('merchant')
  const counting = {
    ...client,
    get: <Body>(path: string, query?: object) => {
      asked.push(path)
      return client.get<Body>(path, query as never)
    },
  }
  for await (const order of createMerchant({ client: counting, facts, appId: 'merchant' }).listOrders({ limit: 2 })) {
    expect(order.state).toBe('open')
    break
  }
  expect(asked).toEqual(['/v1/orders'])
})

test('a payee that has signed is shown its payments from then on', async () => {
  const [account] = world.merchants
  if (account === undefined) throw new Error('no payee')
  const { chainId } = world
  const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider: world.walletOf(payer()).provider })
  const { provider, signed } = world.walletOf(account)
  expect(await all(merchant.listPayments())).toEqual([])
  const proved = await merchant.provePayee(provider, { chainId, payee: account.address })
  expect(proved).toMatchObject({ chainId, payee: account.address })
  expect(signed).toEqual(['PayeeOwnership'])
  const { submitted } = await wallet.pay(world.terms(payer()))
  expect(await merchant.readPayment(submitted.id)).toMatchObject({ id: submitted.id, state: 'accepted' })
  const payments = await all(merchant.listPayments({ payee: account.address, state: 'accepted' }))
  expect(payments.map(({ id }) => id)).toEqual([submitted.id])
})

test('a webhook endpoint is registered, shows its secret, is tested and removed', async () => {
  const url = 'https://shop.example/ice/webhook'
  const endpoint = await merchant.createEndpoint({ url, states: ['finalized', 'failed'], hmac: true })
  expect(endpoint).toMatchObject({ url, states: ['finalized', 'failed'], hmac: true, disabled: null })
  const { hmacSecret } = await merchant.readEndpoint(endpoint.id)
  expect(hmacSecret).toMatch(/^whsec_/)
  expect((await all(merchant.listEndpoints())).map(({ id }) => id)).toEqual([endpoint.id])
  await merchant.testEndpoint(endpoint.id)
  await merchant.removeEndpoint(endpoint.id)
  expect(await all(merchant.listEndpoints())).toEqual([])
})

test('answers are typed as the API types them', async () => {
  const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider: world.walletOf(payer()).provider })
  const { id } = (await wallet.pay(world.terms(payer()))).submitted
  const { id: orderId } = await merchant.createOrder(orderTerms('typed'))
  // The compiler refuses these lines if the API drops or changes a field.
  const payment: ApiIntentView = (await world.get(`/v1/intents/${id}`)).body
  const order: ApiOrderView = (await world.get(`/v1/orders/${orderId}`, { as: 'merchant' })).body
  const read: { readonly payment: IntentView; readonly order: OrderView } = { payment, order }
  const { watchUrl, ...shown } = await wallet.read(id)
  expect(watchUrl).toContain(id)
  expect(read).toMatchObject({ payment: shown, order: await merchant.readOrder(orderId) })
})
