import type { TypedDataDefinition } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld, type World } from './world.ts'

let world: World
const payer = (): PrivateKeyAccount => world.payers[0] as PrivateKeyAccount

beforeAll(async () => {
  world = await createWorld({ payerCount: 1 })
  await world.depositFor(payer())
})

const register = async (fields: object = {}, as: 'merchant' | 'wallet' = 'merchant') => {
  const { chainId, payee, token } = world
  const order = { chainId, payee, token: token.address, amount: '1000000', reference: 'invoice 1', ...fields }
  return world.post('/v1/orders', order, { as })
}
const prepareFor = (order: string) =>
  world.post('/v1/intents/prepare', { chainId: world.chainId, payer: payer().address, order })
async function pay(order?: string) {
  const { chainId, payee, token } = world
  const bare = { chainId, payer: payer().address, payee, token: token.address, amount: '1000000' }
  const prepared = order === undefined ? await world.post('/v1/intents/prepare', bare) : await prepareFor(order)
  const signed = await world.signed(payer(), prepared.body)
  return world.post('/v1/intents', order === undefined ? signed : { ...signed, order })
}
const payeeSigns = (typedData: unknown) =>
  localAccounts.merchants[0]?.signTypedData(typedData as TypedDataDefinition) as Promise<string>

describe('orders', () => {
  test('are paid by another app’s wallet, once, and show their payment', async () => {
    const { status, body: order } = await register()
    expect([status, order.state, order.payment]).toEqual([201, 'open', null])
    const paid = await pay(order.id)
    expect(paid.status).toBe(201)
    expect(paid.body.acknowledgement.orderHash).toBe(order.orderHash)
    const read = await world.get(`/v1/orders/${order.id}`, { as: 'merchant' })
    expect(read.body).toMatchObject({ ...order, state: 'claimed', payment: { id: paid.body.id, state: 'accepted' } })
    expect((await world.get(`/v1/intents/${paid.body.id}`, { as: 'merchant' })).status).toBe(200)
    expect((await prepareFor(order.id)).body.code).toBe('order_paid')
  })

  test('are found by their reference alone when the client names none', async () => {
    const { body: order } = await register()
    const prepared = await prepareFor(order.id)
    const paid = await world.post('/v1/intents', await world.signed(payer(), prepared.body))
    expect((await world.get(`/v1/intents/${paid.body.id}`)).body.order).toBe(order.id)
  })

  test('refuse one unit less or another payee, at prepare and at submit', async () => {
    const { body: order } = await register()
    const less = { chainId: world.chainId, payer: payer().address, order: order.id, amount: '999999' }
    const refused = await world.post('/v1/intents/prepare', less)
    expect(refused.body).toMatchObject({
      code: 'order_mismatch',
      field: 'amount',
      expected: '1000000',
      actual: '999999',
    })
    const prepared = await prepareFor(order.id)
    const signed = await world.signed(payer(), prepared.body, { amount: '999999' })
    expect((await world.post('/v1/intents', { ...signed, order: order.id })).body.code).toBe('order_mismatch')
  })

  test('take payments up to their last second and not one second later', async () => {
    const { body: order } = await register({ expiresInSeconds: 60 })
    const late = Date.parse(order.expiresAt) - Date.now()
    world.offset.millis = late + 500
    expect((await prepareFor(order.id)).status).toBe(201)
    world.offset.millis = late + 1000
    const refused = await prepareFor(order.id)
    world.offset.millis = 0
    expect(refused.body.code).toBe('order_expired')
  })

  test('belong to their app: everybody else gets what unknown ids get', async () => {
    const { body: order } = await register()
    const other = await world.get(`/v1/orders/${order.id}`)
    const unknown = await world.get('/v1/orders/po_01k9v3kzs4fbgvq1m7h0c2d9ea')
    expect({ ...other.body, instance: '' }).toEqual({ ...unknown.body, instance: '' })
  })
})

describe('cancel', () => {
  test('of an optimistic payment waits for its deadline without a signature', async () => {
    await world.see({ ageSeconds: 61 })
    const { body } = await pay()
    await world.see()
    expect(body.guarantee).toBe('optimistic')
    const cancelled = await world.post(`/v1/intents/${body.id}/cancel`, {})
    expect([cancelled.status, cancelled.body.state]).toEqual([200, 'cancelling'])
    expect((await world.post(`/v1/intents/${body.id}/cancel`, {})).status).toBe(200)
  })

  test('of a promised payment asks for the payer’s signature, then for the payee’s consent', async () => {
    const { body } = await pay()
    const cancel = (sent: object) => world.post(`/v1/intents/${body.id}/cancel`, sent)
    const first = await cancel({})
    expect([first.status, first.body.code]).toEqual([422, 'cancel_signature_required'])
    const { typedData } = first.body
    const signature = await payer().signTypedData(typedData)
    const { deadline } = typedData.message
    const second = await cancel({ signature, deadline })
    expect([second.status, second.body.code]).toEqual([422, 'cancel_consent_required'])
    const byPayer = await payer().signTypedData(second.body.typedData)
    expect((await cancel({ signature, deadline, consent: byPayer })).body.code).toBe('signature_mismatch')
    const third = await cancel({ signature, deadline, consent: await payeeSigns(second.body.typedData) })
    expect([third.status, third.body.state]).toEqual([200, 'cancelling'])
    expect(await world.stored()).toMatchObject({ cancellations: 1 })
  })

  test.each(['merchant', 'wallet'] as const)(
    'needs the payee’s consent also when the app of its order asks, here %s',
    async (as) => {
      const { body: order } = await register({}, as)
      const { body } = await pay(order.id)
      const cancel = (sent: object) => world.post(`/v1/intents/${body.id}/cancel`, sent, { as })
      const { typedData } = (await cancel({})).body
      const { deadline } = typedData.message
      const signature = await payer().signTypedData(typedData)
      const refused = await cancel({ signature, deadline })
      expect([refused.status, refused.body.code]).toEqual([422, 'cancel_consent_required'])
      expect((await world.get(`/v1/intents/${body.id}`)).body.state).toBe('accepted')
      const done = await cancel({ signature, deadline, consent: await payeeSigns(refused.body.typedData) })
      expect([done.status, done.body.state]).toEqual([200, 'cancelling'])
      expect(done.body.reason).toBe(`the app ${as === 'wallet' ? 'that submitted it' : 'of its order'} asked`)
    },
  )

  test('refuses a deadline that is over, one too far, and a signature without one', async () => {
    const { body } = await pay()
    const { typedData } = (await world.post(`/v1/intents/${body.id}/cancel`, {})).body
    const now = Math.floor(Date.now() / 1000)
    for (const [deadline, code] of [
      [now, 'cancel_expired'],
      [now + 12 * 3600 + 5, 'deadline_too_far'],
    ] as const) {
      const message = { ...typedData.message, deadline: `${deadline}` }
      const signature = await payer().signTypedData({ ...typedData, message })
      const answer = await world.post(`/v1/intents/${body.id}/cancel`, { signature, deadline: `${deadline}` })
      expect([answer.status, answer.body.code]).toEqual([422, code])
    }
    const half = await world.post(`/v1/intents/${body.id}/cancel`, { signature: `0x${'11'.repeat(65)}` })
    expect(half.body.code).toBe('invalid_request')
    expect((await world.get(`/v1/intents/${body.id}`)).body.state).toBe('accepted')
  })

  test('of a payment that has ended is too late', async () => {
    const { sql } = await import('kysely')
    const { body } = await pay()
    await sql`update intent set state = 'finalized' where digest = decode(${body.digest.slice(2)}, 'hex')`.execute(
      world.database,
    )
    const answer = await world.post(`/v1/intents/${body.id}/cancel`, {})
    expect([answer.status, answer.body.code, answer.body.state]).toEqual([409, 'intent_not_cancellable', 'finalized'])
  })
})
