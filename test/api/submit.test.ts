import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import {
  type Hex,
  recoverAddress,
  serializeCompactSignature,
  signatureToCompactSignature,
  parseSignature as splitSignature,
} from 'viem'
import type { privateKeyToAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/app.ts'
import { contractKey } from '../../core/config.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { merkleFold } from '../../core/protocol/merkle.ts'
import {
  acknowledgementKeyDigest,
  acknowledgementLeaf,
  acknowledgementRootDigest,
  domainOf,
  domainSeparator,
  type Guarantee,
} from '../../core/protocol/typed-data.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { deposit } from './wallets.ts'
import { createWorld, holdAbove, type World } from './world.ts'

let world: World
type Payer = ReturnType<typeof privateKeyToAccount>
const at = (index: number): Payer => world.payers[index] as Payer

beforeAll(async () => {
  world = await createWorld({ payerCount: 5 })
  await Promise.all([0, 1, 2, 3].map((index) => world.depositFor(at(index))))
})

const terms = (payer: Payer, amount: bigint) => ({
  ...{ chainId: world.chainId, payer: payer.address, payee: world.payee, token: world.token.address },
  amount: `${amount}`,
})
async function prepare(payer: Payer, amount: bigint) {
  const answer = await world.post('/v1/intents/prepare', terms(payer, amount))
  expect(answer.status).toBe(201)
  return answer.body
}
const sign = async (payer: Payer, amount: bigint) => world.signed(payer, await prepare(payer, amount))

describe('submit', () => {
  test('answers 201 with an acknowledgement that anyone can verify up to the authority', async () => {
    const prepared = await prepare(at(0), 1_000_000n)
    const { status, body } = await world.post('/v1/intents', await world.signed(at(0), prepared))
    expect([status, body.state, body.guarantee, body.digest]).toEqual([
      201,
      'accepted',
      'collateralised',
      prepared.digest,
    ])

    const ack = body.acknowledgement
    const separator = domainSeparator(domainOf(world))
    const leaf = acknowledgementLeaf({
      paymentDigest: ack.paymentDigest,
      orderHash: ack.orderHash,
      fee: BigInt(ack.fee),
      guarantee: ack.guarantee as Guarantee,
      acceptedAt: BigInt(ack.acceptedAt),
      settleBy: BigInt(ack.settleBy),
    })
    expect(merkleFold(leaf, ack.proof)).toBe(ack.root)
    const hash = acknowledgementRootDigest(separator, ack.root)
    expect(await recoverAddress({ hash, signature: ack.rootSignature })).toBe(ack.key.key)
    const claim = { ...ack.key, notBefore: BigInt(ack.key.notBefore), notAfter: BigInt(ack.key.notAfter) }
    const certified = await recoverAddress({
      hash: acknowledgementKeyDigest(separator, claim),
      signature: ack.key.signature,
    })
    expect(certified).toBe(localAccounts.acknowledger.address)
    expect(ack.key.authority).toBe(certified)
    expect(world.woken).toContain(world.chainId)

    const read = await world.get(`/v1/intents/${body.id}`)
    expect(read.body).toMatchObject({
      id: body.id,
      acknowledgement: ack,
      intent: prepared.intent,
      batch: null,
      settled: null,
    })
  })

  test('takes the 64-byte form of EIP-2098 as the same payment', async () => {
    const signed = await sign(at(0), 1_000_000n)
    const compact = serializeCompactSignature(signatureToCompactSignature(splitSignature(signed.signature)))
    const first = await world.post('/v1/intents', { ...signed, signature: compact })
    const second = await world.post('/v1/intents', signed)
    expect([first.status, second.status, second.body.id]).toEqual([201, 200, first.body.id])
  })

  test('gives its own app the stored payment, and another app only that it exists', async () => {
    const signed = await sign(at(0), 1_000_000n)
    const { body } = await world.post('/v1/intents', signed)
    const other = await world.post('/v1/intents', signed, { as: 'merchant' })
    expect([other.status, other.body.code]).toEqual([409, 'intent_exists'])
    expect(JSON.stringify(other.body)).not.toMatch(/wallet|pi_/)
    expect((await world.get(`/v1/intents/${body.id}`, { as: 'merchant' })).status).toBe(404)
    expect((await world.get(`/v1/intents/${body.id}`, { as: 'operator' })).status).toBe(200)
  })

  test('holds one unit above the limit and not the limit itself', async () => {
    const payer = at(1)
    const held = await world.post('/v1/intents', await sign(payer, holdAbove + 1n))
    expect([held.status, held.body.state, held.body.acknowledgement]).toEqual([202, 'held', null])
    const refused = await world.post(`/v1/holds/${held.body.id}/release`, {}, { as: 'wallet' })
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden'])
    const rejected = await world.post(`/v1/holds/${held.body.id}/reject`, { note: 'unknown payee' }, { as: 'operator' })
    expect([rejected.status, rejected.body.state]).toEqual([200, 'rejected'])
    const again = await world.post(`/v1/holds/${held.body.id}/release`, {}, { as: 'operator' })
    expect([again.status, again.body.code, again.body.state]).toEqual([409, 'hold_not_open', 'rejected'])
    const passed = await world.post('/v1/intents', await sign(payer, holdAbove))
    expect(passed.status).toBe(201)
  })

  test('releases a hold with a fresh acknowledgement and wakes the batch stage', async () => {
    const held = await world.post('/v1/intents', await sign(at(2), holdAbove + 1n))
    const before = world.woken.length
    const released = await world.post(`/v1/holds/${held.body.id}/release`, { note: 'called' }, { as: 'operator' })
    expect([released.status, released.body.state, released.body.guarantee]).toEqual([200, 'accepted', 'collateralised'])
    expect(world.woken.length).toBe(before + 1)
  })

  test('does not release a hold whose deadline is over, and tells both times', async () => {
    const payer = await world.fund()
    await world.depositFor(payer)
    const held = await world.post('/v1/intents', await sign(payer, holdAbove + 1n))
    const intents = { ...world.ports.intents, release: async () => ({ outcome: 'expired' as const, deadline: 17n }) }
    const app = createApp({ ...world.ports, intents })
    const response = await app.request(`/v1/holds/${held.body.id}/release`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa('operator:op-secret')}`, 'idempotency-key': 'key-of-a-release-too-late' },
    })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ code: 'intent_expired', deadline: '17', now: expect.any(String) })
  })

  test('of ten racing for the money of three, takes exactly three', async () => {
    const payer = at(3)
    const signed = await Promise.all(Array.from({ length: 10 }, () => sign(payer, deposit / 3n)))
    const answers = await Promise.all(signed.map((each) => world.post('/v1/intents', each)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
    expect(answers.filter(({ body }) => body.code === 'insufficient_balance')).toHaveLength(7)
  })

  test('answers each of a batch in its place; bad ones stop nobody', async () => {
    const [first, last] = [await sign(at(0), 1_000_000n), await sign(at(0), 2_000_000n)]
    const tampered = { ...last, intent: { ...last.intent, amount: '2000001' } }
    const intents = [first, { nonsense: true }, tampered, last, first, null]
    const { status, body } = await world.post('/v1/intents', { intents })
    expect(status).toBe(200)
    expect(body.results.map((each: { status: number }) => each.status)).toEqual([201, 400, 422, 201, 200, 400])
    expect(body.results[2].problem.code).toBe('signature_mismatch')
    expect(body.results[4].id).toBe(body.results[0].id)
    expect(body.results[0].acknowledgement.root).toBe(body.results[3].acknowledgement.root)
  })

  test('promises only optimistically while the head is old', async () => {
    await world.see({ ageSeconds: 61 })
    const { body } = await world.post('/v1/intents', await sign(at(0), 1_000_000n))
    await world.see()
    expect([body.state, body.guarantee]).toEqual(['accepted', 'optimistic'])
  })

  test('accepts while the queue is down, and says so in the log', async () => {
    const app = createApp({ ...world.ports, queue: { wake: () => Promise.reject(new Error('no queue')) } })
    const response = await app.request('/v1/intents', {
      method: 'POST',
      body: JSON.stringify(await sign(at(0), 1_000_000n)),
      headers: {
        authorization: `Basic ${btoa('wallet:wallet-secret')}`,
        'content-type': 'application/json',
        'idempotency-key': 'key-with-a-queue-down',
      },
    })
    expect(response.status).toBe(201)
    expect(JSON.stringify(world.logged)).toContain('chainId')
  })

  test('a payer nobody has seen on a chain that does not answer gets 503, and the key stays free', async () => {
    const silent = { ...world.evm, accounts: () => Promise.reject(new ChainUnavailableError('accounts')) }
    const app = createApp({ ...world.ports, chains: new Map([[contractKey(world), silent]]) })
    const send = (through: typeof app) =>
      through.request('/v1/intents/prepare', {
        method: 'POST',
        body: JSON.stringify(terms(at(4), 1_000_000n)),
        headers: {
          authorization: `Basic ${btoa('wallet:wallet-secret')}`,
          'content-type': 'application/json',
          'idempotency-key': 'key-with-a-chain-down',
        },
      })
    const down = await send(app)
    expect([down.status, down.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await down.json()).toMatchObject({ code: 'chain_unavailable' })
    await world.depositFor(at(4))
    expect((await send(world.app)).status).toBe(201)
  })
})

describe('a batch of which one item can be tried again', () => {
  test('gives its key back: the rest comes back as known, and the item goes through', async () => {
    const [fine, poor] = [at(0), await world.fund()]
    await world.depositFor(poor, 1_000_000n)
    const intents = [await sign(fine, 1_000_000n), await sign(poor, 1_000_001n)]
    const key = randomUUID()
    const first = await world.post('/v1/intents', { intents }, { key })
    expect(first.body.results.map((each: { status: number }) => each.status)).toEqual([201, 422])
    expect(first.body.results[1].problem).toMatchObject({ code: 'insufficient_balance', retryable: true })
    await sql`update account set balance = balance + 1 where payer = decode(${poor.address.slice(2)}, 'hex')`.execute(
      world.database,
    )
    const second = await world.post('/v1/intents', { intents }, { key })
    expect(second.headers.get('idempotency-replayed')).toBeNull()
    expect(second.body.results.map((each: { status: number }) => each.status)).toEqual([200, 201])
    expect(second.body.results[0].id).toBe(first.body.results[0].id)
    const third = await world.post('/v1/intents', { intents }, { key })
    expect([third.headers.get('idempotency-replayed'), third.body]).toEqual(['true', second.body])
  })

  test('as an item of a payer nobody has seen, while the chain does not answer', async () => {
    const silent = { ...world.evm, accounts: () => Promise.reject(new ChainUnavailableError('accounts')) }
    const away = createApp({ ...world.ports, chains: new Map([[contractKey(world), silent]]) })
    const prepared = await prepare(at(0), 1_000_000n)
    const unseen = await world.fund()
    const intents = [await world.signed(unseen, prepared, { payer: unseen.address })]
    const send = (through: typeof away) =>
      through.request('/v1/intents', {
        method: 'POST',
        body: JSON.stringify({ intents }),
        headers: {
          authorization: `Basic ${btoa('wallet:wallet-secret')}`,
          'content-type': 'application/json',
          'idempotency-key': 'key-of-a-batch-with-a-chain-down',
        },
      })
    const down = (await (await send(away)).json()) as { results: { problem: { code: string } }[] }
    expect(down.results[0]?.problem.code).toBe('chain_unavailable')
    const up = await send(world.app)
    expect([up.headers.get('idempotency-replayed'), await up.text()]).toEqual([
      null,
      expect.stringContaining('account_not_bound'),
    ])
  })
})

describe('a token of 18 decimals that is settled in steps of 10^12', () => {
  test('takes 10^12 at prepare and at submit, and neither 1 nor 10^12 + 1', async () => {
    const long = world.long.address
    const payer = at(0)
    await world.depositFor(payer, 5n * 10n ** 12n, long)
    for (const amount of [1n, 10n ** 12n + 1n]) {
      const refused = await world.post('/v1/intents/prepare', { ...terms(payer, amount), token: long })
      expect([refused.status, refused.body.code, refused.body.scale]).toEqual([
        422,
        'amount_not_representable',
        `${10n ** 12n}`,
      ])
    }
    const { body } = await world.post('/v1/intents/prepare', { ...terms(payer, 10n ** 12n), token: long })
    const off = await world.signed(payer, body, { amount: '1' })
    expect((await world.post('/v1/intents', off)).body.code).toBe('amount_not_representable')
    const order = { chainId: world.chainId, payee: world.payee, token: long, amount: '1', reference: 'r' }
    expect((await world.post('/v1/orders', order)).body.code).toBe('amount_not_representable')
    expect((await world.post('/v1/intents', await world.signed(payer, body))).status).toBe(201)
  })
})

describe('prepare', () => {
  test('hands out all 64 nonces to seventy at once before any of them twice, and locks nobody out', async () => {
    const payer = at(4)
    const answers = await Promise.all(
      Array.from({ length: 70 }, () => world.post('/v1/intents/prepare', terms(payer, 1_000_000n))),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(70)
    expect(new Set(answers.map(({ body }) => body.intent.nonce)).size).toBe(64)
  })

  test('warns of a balance that is too low and hands out all the same', async () => {
    const { body, status } = await world.post('/v1/intents/prepare', terms(at(0), deposit + 1n))
    expect([status, body.warnings[0].code]).toEqual([201, 'insufficient_balance'])
  })

  test('typed data is complete and hashes to the digest', async () => {
    const { typedData, digest, intent } = await prepare(at(0), 1_000_000n)
    expect(Object.keys(typedData.types)).toEqual(['EIP712Domain', 'Payment'])
    expect(typedData.message.amount).toBe('1000000')
    const { hashTypedData } = await import('viem')
    expect(hashTypedData(typedData)).toBe(digest as Hex)
    expect(intent.contract).toBe(typedData.domain.verifyingContract)
  })

  test('refuses what submit would refuse', async () => {
    const bad = {
      token_unknown: { token: world.payee },
      payee_invalid: { payee: at(0).address },
      amount_out_of_range: { amount: '1' },
      wrong_chain: { chainId: 1 },
      order_not_found: { order: 'po_x' },
    }
    for (const [code, fields] of Object.entries(bad)) {
      const before = await world.stored()
      const answer = await world.post('/v1/intents/prepare', { ...terms(at(0), 1_000_000n), ...fields })
      expect([answer.status, answer.body.code]).toEqual([422, code])
      expect(await world.stored()).toEqual(before)
    }
  })
})

describe('accounts', () => {
  test('tell what is reserved and what is free; reading a stranger stores nothing', async () => {
    const path = (payer: string) => `/v1/accounts/${payer}?chainId=${world.chainId}&token=${world.token.address}`
    const { body } = await world.get(path(at(3).address))
    expect(body).toMatchObject({
      balance: `${deposit}`,
      reserved: `${(deposit / 3n) * 3n}`,
      available: `${deposit - (deposit / 3n) * 3n}`,
      isBound: true,
    })
    // Which nonces are open is the business of the apps that opened them.
    expect(body).not.toHaveProperty('openNonces')
    const stranger = await world.fund()
    expect((await world.get(path(stranger.address))).body).toMatchObject({ balance: '0', isBound: false, relayerId: 0 })
    expect((await world.get(path('0x12'))).body.code).toBe('invalid_request')
  })
})
