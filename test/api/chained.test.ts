import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { zeroLink } from '../../core/chained.ts'
import { chainedLink } from '../../core/protocol/packed-chained.ts'
import { createWorld, holdAbove, type World } from './world.ts'

let world: World
const at = (index: number) => world.payers[index] as PrivateKeyAccount
const linkOf = ({ intent }: { intent: Record<'payee' | 'amount' | 'deadline' | 'orderRef' | 'previous', string> }) => {
  const { payee, orderRef, previous } = intent as Record<string, `0x${string}`>
  const amounts = { amount: BigInt(intent.amount), deadline: BigInt(intent.deadline) }
  return chainedLink({ ...amounts, payee: payee ?? '0x', orderRef: orderRef ?? '0x' }, previous ?? '0x', 1n)
}

beforeAll(async () => {
  world = await createWorld({ payerCount: 4, isPull: true })
  for (const payer of world.payers) await world.depositChainedFor(payer)
})

const prepare = (payer: PrivateKeyAccount, fields: object = {}) => {
  const { chainId, payee, token } = world
  const terms = { chainId, payer: payer.address, payee, token: token.address, amount: '1000000', mode: 'chained' }
  return world.post('/v1/intents/prepare', { ...terms, ...fields })
}
async function pay(payer: PrivateKeyAccount, fields: object = {}) {
  const prepared = await prepare(payer, fields)
  const signed = await world.signed(payer, prepared.body)
  return { ...(await world.post('/v1/intents', signed)), intent: signed.intent, signed }
}

describe('a chained payment', () => {
  test('is prepared after what the account has, signed as it is shown, and taken', async () => {
    const { status, body } = await prepare(at(0))
    expect(status).toBe(201)
    expect(body).toMatchObject({
      intent: { mode: 'chained', contract: world.vault, sequence: '1', previous: zeroLink },
      typedData: { primaryType: 'ChainedPayment', message: { sequence: '1', previous: zeroLink } },
      warnings: [],
      permit: null,
    })
    expect(body.intent).not.toHaveProperty('nonce')
    const submitted = await world.post('/v1/intents', await world.signed(at(0), body))
    expect(submitted).toMatchObject({
      status: 201,
      body: { state: 'accepted', guarantee: 'optimistic', digest: body.digest },
    })
    expect((await world.get(`/v1/intents/${submitted.body.id}`)).body.intent).toEqual(body.intent)
    const next = await prepare(at(0))
    expect(next.body.intent).toMatchObject({ sequence: '2', previous: linkOf(body) })
  })

  test('goes with its successors in one request, and has nobody else’s place', async () => {
    const first = await world.signed(at(1), (await prepare(at(1))).body)
    const after = { sequence: '2', previous: linkOf(first as never) }
    const second = await world.signed(at(1), (await prepare(at(1))).body, after)
    const rival = await world.signed(at(1), (await prepare(at(1), { amount: '7000' })).body)
    const { body } = await world.post('/v1/intents', { intents: [first, second, rival] })
    expect(body.results.map((each: { status: number }) => each.status)).toEqual([201, 201, 409])
    expect(body.results[2].problem).toMatchObject({
      ...{ code: 'previous_mismatch', sequence: '1', previous: zeroLink },
      ...{ expectedSequence: '3', expectedPrevious: linkOf(second as never), retryable: false },
    })
  })

  test('waits behind a held one, at prepare and at submit', async () => {
    const held = await pay(at(2), { amount: `${holdAbove + 1n}` })
    expect(held).toMatchObject({ status: 202, body: { state: 'held' } })
    expect((await prepare(at(2))).body).toMatchObject({ code: 'previous_held', sequence: '1', retryable: true })
    const next = await world.signed(at(2), (await prepare(at(1))).body, {
      ...{ payer: at(2).address, sequence: '2', previous: linkOf(held as never) },
    })
    expect((await world.post('/v1/intents', next)).body.code).toBe('previous_held')
    const released = await world.post(`/v1/holds/${held.body.id}/release`, {}, { as: 'operator' })
    expect(released.status).toBe(200)
    expect((await world.post('/v1/intents', next)).status).toBe(201)
  })

  test('is cancelled last first, without a signature, and its place is free at once', async () => {
    const [first, second] = [await pay(at(3)), await pay(at(3))]
    expect(second).toMatchObject({ status: 201, intent: { sequence: '2' } })
    const refused = await world.post(`/v1/intents/${first.body.id}/cancel`, {})
    expect(refused).toMatchObject({ status: 409, body: { code: 'intent_not_cancellable', state: 'accepted' } })
    expect(refused.body.detail).toContain('followed by another chained payment')
    const cancelled = await world.post(`/v1/intents/${second.body.id}/cancel`, {})
    expect(cancelled).toMatchObject({ status: 200, body: { state: 'cancelling', intent: { mode: 'chained' } } })
    const instead = await pay(at(3), { amount: '2000000' })
    expect(instead).toMatchObject({ status: 201, intent: { sequence: '2', previous: linkOf(first as never) } })
  })

  test('has no cancel on chain: a signature for one is refused, and nothing happens', async () => {
    const paid = await pay(at(3))
    const signature = `0x${'11'.repeat(64)}`
    const body = { signature, deadline: `${Math.floor(Date.now() / 1000) + 600}` }
    const refused = await world.post(`/v1/intents/${paid.body.id}/cancel`, body)
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request', mode: 'chained' } })
    expect((await world.get(`/v1/intents/${paid.body.id}`)).body.state).toBe('accepted')
  })
})

describe('an intent that does not fit its mode', () => {
  const fieldsOf = (body: { errors: { path: string; message: string }[] }) => body.errors

  test.each([
    ['a nonce', { nonce: '1' }, 'nonce', 'not for mode chained'],
    ['means', { means: 'allowance' }, 'means', 'not for mode chained'],
    ['no previous', { previous: undefined }, 'previous', 'required for mode chained'],
    ['no sequence', { sequence: undefined }, 'sequence', 'required for mode chained'],
  ])('with %s is refused by the name of the field and the mode', async (_, fields, field, message) => {
    const { intent, signature } = await world.signed(at(0), (await prepare(at(0))).body)
    const refused = await world.post('/v1/intents', { intent: { ...intent, ...fields }, signature })
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    expect(JSON.stringify(fieldsOf(refused.body))).toContain(field)
    expect(JSON.stringify(fieldsOf(refused.body))).toContain(message)
  })

  test('at the contract of another mode is told which contracts there are', async () => {
    const { intent, signature } = await world.signed(at(0), (await prepare(at(0))).body)
    const { vault, settler } = world
    const refused = await world.post('/v1/intents', { intent: { ...intent, contract: settler }, signature })
    expect(refused).toMatchObject({
      status: 422,
      body: { code: 'wrong_contract', mode: 'chained', vault, pullSettler: settler },
    })
  })

  test('signed for another mode is not the payer’s: the types differ', async () => {
    const { intent, signature } = await world.signed(at(0), (await prepare(at(0))).body)
    const { sequence, previous: _, ...rest } = intent
    const refused = await world.post('/v1/intents', {
      intent: { ...rest, mode: 'independent', nonce: sequence },
      signature,
    })
    expect(refused.body.code).toBe('signature_mismatch')
  })
})

test('the two accounts of a payer in the vault are read apart', async () => {
  const payer = await world.fund()
  await world.depositChainedFor(payer, 5_000_000n)
  await pay(payer)
  const read = async (mode: string) => {
    const query = `chainId=${world.chainId}&token=${world.token.address}${mode}`
    return (await world.get(`/v1/accounts/${payer.address}?${query}`)).body
  }
  expect(await read('&mode=chained')).toMatchObject({
    ...{
      mode: 'chained',
      balance: '5000000',
      reserved: '1000000',
      available: '4000000',
      allowance: null,
      isBound: true,
    },
  })
  expect(await read('')).toMatchObject({ mode: 'independent', balance: '0', reserved: '0', isBound: false })
  expect(await read('&mode=vault')).toMatchObject({ code: 'invalid_request' })
})
