import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { bytes, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createWorld, type World } from './world.ts'

let world: World
const payer = (): PrivateKeyAccount => world.payers[0] as PrivateKeyAccount
const ids: string[] = []
let orderId: string

beforeAll(async () => {
  world = await createWorld({ payerCount: 1 })
  await world.depositFor(payer())
  const { chainId, payee, token } = world
  const terms = { chainId, payee, token: token.address, amount: '1000000' }
  const order = await world.post('/v1/orders', { ...terms, reference: 'invoice 1' }, { as: 'merchant' })
  orderId = order.body.id
  for (const body of [
    { chainId, payer: payer().address, order: orderId },
    { ...terms, payer: payer().address },
  ]) {
    const prepared = await world.post('/v1/intents/prepare', body)
    const paid = await world.post('/v1/intents', await world.signed(payer(), prepared.body))
    expect(paid.status).toBe(201)
    ids.push(paid.body.id)
  }
})

const listed = async (path: string, as: 'wallet' | 'merchant' | 'operator' = 'wallet') => {
  const { status, body } = await world.get(path, { as })
  expect({ status, body }).toMatchObject({ status: 200 })
  return body.items.map(({ id }: { id: string }) => id)
}

describe('lists', () => {
  test('show each app its own, and operators all, in the words of the single read', async () => {
    const newest = ids.toReversed()
    expect(await listed('/v1/intents')).toEqual(newest)
    expect(await listed('/v1/intents', 'operator')).toEqual(newest)
    expect(await listed('/v1/intents', 'merchant')).toEqual([ids[0]])
    expect(await listed('/v1/orders', 'merchant')).toEqual([orderId])
    expect(await listed('/v1/orders')).toEqual([])
    expect(await listed('/v1/batches', 'operator')).toEqual([])
    const { body } = await world.get('/v1/intents')
    expect(body.items[0]).toEqual((await world.get(`/v1/intents/${ids[1]}`)).body)
    const orders = await world.get('/v1/orders', { as: 'merchant' })
    expect(orders.body.items[0]).toEqual((await world.get(`/v1/orders/${orderId}`, { as: 'merchant' })).body)
    expect(orders.body.items[0].payment).toEqual({ id: ids[0], state: 'accepted' })
  })

  test('go on with their cursor, and end', async () => {
    const first = await world.get('/v1/intents?limit=1')
    expect(first.body).toMatchObject({ items: [{ id: ids[1] }], nextCursor: expect.any(String) })
    const second = await world.get(`/v1/intents?limit=1&cursor=${first.body.nextCursor}`)
    expect(second.body).toMatchObject({ items: [{ id: ids[0] }] })
    expect((await world.get('/v1/intents?limit=100')).body.items).toHaveLength(2)
  })

  test('name no payment in a cursor, which may be one that its reader must not see, and open it to its own app alone', async () => {
    const { nextCursor } = (await world.get('/v1/intents?limit=1')).body
    const inside = Buffer.from(nextCursor, 'base64url')
    expect(inside.toString('latin1')).not.toContain(ids[1])
    expect(inside.includes(Buffer.from(uuidOfOwn('pi', ids[1] ?? '').replaceAll('-', ''), 'hex'))).toBe(false)
    inside[20] = (inside[20] ?? 0) ^ 1
    const plain = Buffer.from(`1.${ids[1]}`).toString('base64url')
    for (const [cursor, as] of [
      [nextCursor, 'operator'],
      [inside.toString('base64url'), 'wallet'],
      [`${nextCursor}=`, 'wallet'],
      [nextCursor.slice(0, 20), 'wallet'],
      [plain, 'wallet'],
    ] as const) {
      const { body } = await world.get(`/v1/intents?limit=1&cursor=${encodeURIComponent(cursor)}`, { as })
      expect(body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'cursor' }] })
    }
    expect(await listed(`/v1/intents?limit=1&cursor=${nextCursor}`)).toEqual([ids[0]])
  })

  test('take all filters', async () => {
    const { chainId, payee, token } = world
    const both = `payer=${payer().address}&payee=${payee}&token=${token.address}&chainId=${chainId}&state=accepted`
    expect(await listed(`/v1/intents?${both}&createdFrom=2020-01-01T00:00:00Z`)).toHaveLength(2)
    expect(await listed(`/v1/intents?${both}&order=${orderId}`)).toEqual([ids[0]])
    expect(await listed('/v1/intents?state=finalized')).toEqual([])
    expect(await listed('/v1/intents?createdTo=2020-01-01T00:00:00%2B02:00')).toEqual([])
    expect(await listed(`/v1/orders?reference=invoice%201&payee=${payee}&state=claimed`, 'merchant')).toEqual([orderId])
    expect(await listed('/v1/batches?state=finalized&chainId=1')).toEqual([])
  })

  const ofOrders = () => Buffer.from(`1.${orderId}`).toString('base64url')
  test.each([
    ['/v1/intents?limit=0', 'limit'],
    ['/v1/intents?limit=101', 'limit'],
    ['/v1/intents?limit=1.5', 'limit'],
    ['/v1/intents?limit=', 'limit'],
    ['/v1/intents?limit=1&limit=2', 'limit'],
    ['/v1/intents?state=paid', 'state'],
    ['/v1/intents?payeer=0x', ''],
    ['/v1/intents?cursor=', 'cursor'],
    ['/v1/intents?cursor=zzz', 'cursor'],
    ['/v1/intents?cursor=MS5waV8', 'cursor'],
    ['/v1/intents?cursor=%00', 'cursor'],
    [`/v1/intents?cursor=${Buffer.from('1.pi_0000000000000000000000000z').toString('base64url')}`, 'cursor'],
    ['/v1/intents?createdFrom=yesterday', 'createdFrom'],
    ['/v1/intents?createdFrom=2026-02-30T00:00:00Z', 'createdFrom'],
    ['/v1/intents?createdFrom=2026-01-02T00:00:00Z&createdTo=2026-01-01T00:00:00Z', 'createdTo'],
    ['/v1/intents?chainId=0x1', 'chainId'],
    ['/v1/orders?state=paid', 'state'],
    ['/v1/orders?reference=', 'reference'],
    ['/v1/batches?state=cancelled', 'state'],
    ['/v1/intents?payee=0x12', 'payee'],
  ])('refuse %s and name the field', async (path, field) => {
    const { status, body } = await world.get(path)
    expect({ status, code: body.code, path: body.errors[0].path }).toEqual({
      status: 400,
      code: 'invalid_request',
      path: field,
    })
  })

  test('refuse the cursor of another list, and one that was changed', async () => {
    const cursor = ofOrders()
    expect((await world.get(`/v1/orders?cursor=${cursor}`, { as: 'merchant' })).status).toBe(200)
    for (const path of [
      `/v1/intents?cursor=${cursor}`,
      `/v1/batches?cursor=${cursor}`,
      `/v1/orders?cursor=${cursor}A`,
    ]) {
      expect((await world.get(path)).body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'cursor' }] })
    }
  })
})

describe('the app that owns a payee', () => {
  test('reads and lists what pays it, from the moment of its proof', async () => {
    const of = { as: 'merchant' } as const
    expect((await world.get(`/v1/intents/${ids[1]}`, of)).status).toBe(404)
    await sql`
      insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
      values (${world.chainId}, ${bytes(world.payee)}, 'merchant', 1, ${Buffer.alloc(64)})`.execute(world.database)
    expect((await world.get(`/v1/intents/${ids[1]}`, of)).status).toBe(200)
    expect(await listed('/v1/intents', 'merchant')).toEqual(ids.toReversed())
    expect((await world.get(`/v1/intents/${ids[1]}/events`, of)).body.items).toHaveLength(1)
    await sql`delete from payee_owner`.execute(world.database)
    expect((await world.get(`/v1/intents/${ids[1]}/events`, of)).status).toBe(404)
  })
})

test('an id whose bits are those of no UUID is as unknown as any other', async () => {
  for (const path of ['intents/pi', 'orders/po', 'batches/sb']) {
    expect((await world.get(`/v1/${path}_0000000000000000000000000z`)).status).toBe(404)
  }
})

describe('events of a payment', () => {
  test('are told from the first one on, and after a sequence', async () => {
    const { body } = await world.get(`/v1/intents/${ids[0]}/events`)
    expect(body.items).toEqual([
      { sequence: 1, state: 'accepted', reason: null, at: expect.any(String), batch: null, tx: null, block: null },
    ])
    expect((await world.get(`/v1/intents/${ids[0]}/events?after=1`)).body.items).toEqual([])
    for (const after of ['-1', '1.5', 'x', '2147483648']) {
      const refused = await world.get(`/v1/intents/${ids[0]}/events?after=${after}`)
      expect(refused.body).toMatchObject({ code: 'invalid_request', errors: [{ path: 'after' }] })
    }
  })
})
