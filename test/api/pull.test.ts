import type { TypedDataDefinition } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/app.ts'
import { contractsOf } from '../../core/config.ts'
import { createWorld, type World } from './world.ts'

let world: World
let payer: PrivateKeyAccount
beforeAll(async () => {
  world = await createWorld({ payerCount: 1, isPull: true })
  payer = world.payers[0] as PrivateKeyAccount
  await world.fillWallet(payer, 50_000_000n, 20_000_000n)
})

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came back
type Prepared = any
const prepare = (fields: object = {}, who = payer) => {
  const { chainId, payee, token } = world
  const terms = { chainId, payer: who.address, payee, token: token.address, amount: '1000000', mode: 'pull' }
  return world.post('/v1/intents/prepare', { ...terms, ...fields })
}
const sign = (typedData: unknown, who = payer) => who.signTypedData(typedData as TypedDataDefinition)
const submit = async (prepared: Prepared, more: object = {}, who = payer) =>
  world.post('/v1/intents', { intent: prepared.intent, signature: await sign(prepared.typedData, who), ...more })

describe('a pull by allowance', () => {
  test('is prepared for the pull settler, signed in its domain, and taken as optimistic', async () => {
    const { status, body } = await prepare()
    expect(status).toBe(201)
    expect(body).toMatchObject({
      intent: { mode: 'pull', means: 'allowance', contract: world.settler, nonce: '0' },
      typedData: { primaryType: 'PullPayment', domain: { verifyingContract: world.settler } },
      ...{ warnings: [], permit: null },
    })
    const taken = await submit(body)
    expect(taken).toMatchObject({ status: 201, body: { guarantee: 'optimistic', digest: body.digest } })
    expect((await world.get(`/v1/intents/${taken.body.id}`)).body.intent).toEqual(body.intent)
    expect((await prepare()).body.intent.nonce).toBe('1')
  })

  test('above the allowance is prepared with a warning and a permit, and refused without it', async () => {
    const short = await world.fund()
    await world.fillWallet(short, 9_000_000n, 400_000n)
    const { body } = await prepare({ means: 'allowance' }, short)
    const missing = { available: '400000', amount: '1000000', missing: '600000' }
    expect(body.warnings).toMatchObject([{ code: 'allowance_short', ...missing }])
    expect(body.permit).toMatchObject({ value: '1000000', nonce: '0', typedData: { primaryType: 'Permit' } })
    const refused = await submit(body, {}, short)
    expect(refused).toMatchObject({ status: 422, body: { code: 'allowance_short', retryable: true, ...missing } })

    await world.fillWallet(short, 1n, 1_000_000n)
    expect((await submit(body, {}, short)).status).toBe(201)
  })

  test('goes through with the permit that was proposed, and with no other', async () => {
    const short = await world.fund()
    await world.fillWallet(short, 9_000_000n, 0n)
    const { body } = await prepare({ means: 'allowance' }, short)
    const { value, nonce, deadline, typedData } = body.permit
    const permit = { value, nonce, deadline, signature: await sign(typedData, short) }
    expect((await submit(body, { permit: { ...permit, nonce: '1' } }, short)).body.code).toBe('signature_mismatch')
    const later = { ...typedData, message: { ...typedData.message, nonce: '1' } }
    const ahead = { ...permit, nonce: '1', signature: await sign(later, short) }
    expect((await submit(body, { permit: ahead }, short)).body).toMatchObject({
      ...{ code: 'permit_invalid', nonce: '1', expected: '0' },
    })
    expect((await submit(body, { permit }, short)).status).toBe(201)
  })

  test('in a set has its own permit judged, and nobody else’s', async () => {
    const wallets = await Promise.all([1, 2, 3].map(() => world.fund()))
    const items = []
    for (const [index, wallet] of wallets.entries()) {
      await world.fillWallet(wallet, 9_000_000n, 0n)
      const { body } = await prepare({ means: 'allowance' }, wallet)
      const { value, deadline, typedData } = body.permit
      const nonce = index === 1 ? '1' : '0'
      const said = { ...typedData, message: { ...typedData.message, nonce } }
      const signature = await sign(said, index === 2 ? payer : wallet)
      const permit = { value, nonce, deadline, signature }
      items.push({ intent: body.intent, signature: await sign(body.typedData, wallet), permit })
    }
    const { body: plain } = await prepare()
    items.push({ intent: plain.intent, signature: await sign(plain.typedData) })
    const { body } = await world.post('/v1/intents', { intents: items })
    expect(body.results.map((each: Prepared) => each.problem?.code ?? each.status)).toEqual([
      ...[201, 'permit_invalid', 'signature_mismatch', 201],
    ])
  })

  test('of more than the wallet holds is short of balance', async () => {
    const { body } = await prepare({ amount: '50000001', means: 'allowance' })
    expect(body.warnings).toMatchObject([{ code: 'insufficient_balance' }])
    expect((await submit(body)).body.code).toBe('insufficient_balance')
  })

  test('is paid out of the wallet as it is now, not as it was when it was first seen', async () => {
    const filling = await world.fund()
    await world.fillWallet(filling, 500_000n, 500_000n)
    const { body } = await prepare({}, filling)
    expect(body.warnings).toMatchObject([{ code: 'insufficient_balance', available: '500000' }])
    await world.fillWallet(filling, 500_000n, 1_000_000n)
    expect((await submit(body, {}, filling)).status).toBe(201)
  })
})

describe('what is not final of a wallet', () => {
  test('counts as it is now, but what is on its way to a payee does not count twice', async () => {
    const moving = await world.fund()
    await world.fillWallet(moving, 500_000n, 500_000n)
    await world.unseen.fillWallet(moving, 500_000n, 1_000_000n)
    expect((await prepare({}, moving)).body.warnings).toEqual([])
    await world.see()
    await world.unseen.spend(moving, world.payee, 1n)
    expect((await prepare({}, moving)).body.warnings).toMatchObject([{ available: '999999' }])

    const paid = await submit((await prepare({ amount: '400000' }, moving)).body, {}, moving)
    expect(paid.status).toBe(201)
    await world.unseen.spend(moving, world.payee, 400_000n)
    expect((await prepare({ amount: '600001' }, moving)).body.warnings).toMatchObject([{ available: '600000' }])
  })
})

describe('a pull by authorization', () => {
  test('is signed in the token’s own domain, for the settler as receiver, and needs no allowance', async () => {
    const { body } = await prepare({ means: 'authorization', amount: '25000000' })
    expect(body).toMatchObject({
      intent: { means: 'authorization', contract: world.settler },
      typedData: {
        primaryType: 'ReceiveWithAuthorization',
        domain: { verifyingContract: world.token.address },
        message: { from: payer.address, to: world.settler, value: '25000000' },
      },
      warnings: [],
    })
    const taken = await submit(body)
    expect(taken.status).toBe(201)
    expect(body.typedData.message.nonce).toBe(taken.body.digest)
  })

  test('is not taken with another signature: of another signer, for other money, or of the settler’s domain', async () => {
    const { body } = await prepare({ means: 'authorization' })
    const stranger = await world.fund()
    expect((await submit(body, {}, stranger)).body.code).toBe('signature_mismatch')
    const more = { ...body, intent: { ...body.intent, amount: '1000001' } }
    expect((await submit(more)).body.code).toBe('signature_mismatch')
    const byAllowance = await prepare({ means: 'allowance' })
    const crossed = { ...body.intent, nonce: byAllowance.body.intent.nonce }
    const signature = await sign(byAllowance.body.typedData)
    expect((await world.post('/v1/intents', { intent: crossed, signature })).body.code).toBe('signature_mismatch')
  })

  test('is refused of a token that takes none, at prepare and at submit', async () => {
    const { long } = world
    await world.fillWallet(payer, 10n ** 13n, 10n ** 13n, long.address)
    const terms = { token: long.address, amount: `${10n ** 12n}` }
    expect(await prepare({ ...terms, means: 'authorization' })).toMatchObject({
      status: 422,
      body: { code: 'means_unsupported', token: long.address },
    })
    const { body } = await prepare(terms)
    expect(body.intent.means).toBe('allowance')
    const more = (await prepare({ ...terms, amount: `${2n * 10n ** 13n}` })).body
    expect([more.intent.means, more.permit]).toEqual(['allowance', null])
    const asAuthorization = { ...body, intent: { ...body.intent, means: 'authorization' } }
    expect((await submit(asAuthorization)).body.code).toBe('means_unsupported')
  })
})

describe('a wallet', () => {
  test('shows what it holds, what the settler may take and what is promised', async () => {
    const holder = await world.fund()
    await world.fillWallet(holder, 3_000_000n, 2_000_000n)
    await submit((await prepare({}, holder)).body, {}, holder)
    const query = `chainId=${world.chainId}&token=${world.token.address}&mode=pull`
    expect((await world.get(`/v1/accounts/${holder.address}?${query}`)).body).toMatchObject({
      ...{
        mode: 'pull',
        balance: '3000000',
        allowance: '2000000',
        reserved: '1000000',
        isBound: true,
        withdrawing: '0',
      },
    })
  })

  test('is not asked where there is no pull settler', async () => {
    const [{ pullSettler: _, ...chain }] = world.config.chains as [World['config']['chains'][number]]
    expect(contractsOf(chain)).toHaveLength(1)
    const app = createApp({ ...world.ports, config: { chains: [chain] } })
    const query = `chainId=${world.chainId}&token=${world.token.address}&mode=pull`
    const headers = { authorization: `Basic ${btoa('wallet:wallet-secret')}` }
    const answer = await app.request(`/v1/accounts/${payer.address}?${query}`, { headers })
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({ code: 'wrong_contract', mode: 'pull' })
  })
})

test('a pull is cancelled by a request, and has no cancel on chain to sign', async () => {
  const { body } = await submit((await prepare()).body)
  const onChain = { signature: `0x${'11'.repeat(64)}`, deadline: `${Math.floor(Date.now() / 1000) + 600}` }
  const refused = await world.post(`/v1/intents/${body.id}/cancel`, onChain)
  expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request', mode: 'pull' } })
  expect(await world.post(`/v1/intents/${body.id}/cancel`, {})).toMatchObject({
    status: 200,
    body: { state: 'cancelling' },
  })
})
