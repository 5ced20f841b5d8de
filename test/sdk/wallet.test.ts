import { sql } from 'kysely'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { bytes } from '../../adapters/postgres/codec.ts'
import { createClient } from '../../sdk/client.ts'
import { OutcomeUnknownError } from '../../sdk/errors.ts'
import type { Facts } from '../../sdk/facts.ts'
import type { Receipt, Terms } from '../../sdk/intent.ts'
import { createMerchant } from '../../sdk/merchant.ts'
import { createWallet } from '../../sdk/wallet.ts'
import { createWorld, serve, type World } from './world.ts'

let world: World
let facts: Facts
let payer: PrivateKeyAccount

beforeAll(async () => {
  world = await createWorld()
  facts = await world.clientOf('wallet').facts()
  payer = world.payers[0] as PrivateKeyAccount
  await world.depositFor(payer)
  await world.see()
})

function walletFor(account: PrivateKeyAccount) {
  const { provider, signed } = world.walletOf(account)
  return { ...createWallet({ client: world.clientOf('wallet'), facts, provider }), provider, signed }
}

describe('pays', () => {
  test('out of the vault, and the acknowledgement that comes back is proved', async () => {
    const wallet = walletFor(payer)
    const { signed, submitted } = await wallet.pay(world.terms(payer, { mode: 'independent' }))
    expect(wallet.signed).toEqual(['Payment'])
    expect(submitted).toMatchObject({
      state: 'accepted',
      digest: signed.paymentDigest,
      promise: { outcome: 'promised', guarantee: 'collateralised', fee: 0n, paymentDigest: signed.paymentDigest },
    })
    expect(await wallet.read(submitted.id)).toMatchObject({ id: submitted.id, intent: signed.submission.intent })
    // Once more, as after an answer that was lost.
    expect(await wallet.submit(signed)).toMatchObject({ id: submitted.id, promise: { outcome: 'promised' } })
  })

  test('an order, whose hash the promise names', async () => {
    const merchant = createMerchant({ client: world.clientOf('merchant'), facts, appId: 'merchant' })
    const { chainId, payee, token, amount, ...rest } = world.terms(payer)
    const order = await merchant.createOrder({ chainId, payee, token, amount, reference: 'invoice 7' })
    const { id, orderRef } = order
    const terms: Terms = { ...rest, chainId, payee, token, amount, order: { id, orderRef } }
    const { submitted } = await walletFor(payer).pay(terms)
    expect(submitted.promise).toMatchObject({ outcome: 'promised', orderHash: order.orderHash })
    expect(await merchant.readOrder(id)).toMatchObject({ state: 'claimed', payment: { id: submitted.id } })
  })

  test('out of a chained account, each payment continuing the one that this wallet signed before', async () => {
    const chainer = await world.minted()
    await world.depositChained(chainer)
    const wallet = walletFor(chainer)
    const terms = world.terms(chainer, { mode: 'chained' })
    expect(await wallet.chainedPlace(terms)).toEqual({ sequence: 0n, link: `0x${'00'.repeat(16)}` })
    const first = await wallet.pay(terms)
    expect(first.signed.next).toMatchObject({ sequence: 1n })
    if (first.signed.next === undefined) throw new Error('no place')
    const second = await wallet.pay({ ...terms, continues: first.signed.next })
    expect(second.submitted).toMatchObject({ state: 'accepted', promise: { guarantee: 'optimistic' } })
    expect(second.signed.submission.intent).toMatchObject({ sequence: '2', previous: first.signed.next.link })
    expect(wallet.signed).toEqual(['ChainedPayment', 'ChainedPayment'])
  })

  test('out of the wallet by allowance, by permit and by authorization', async () => {
    const [allower, permitter, authorizer] = [await world.minted(), await world.minted(), await world.minted()]
    await world.approve(allower, world.pullSettler, 5_000_000n)
    const byAllowance = { mode: 'pull', means: 'allowance' } as const
    const cases = [
      [allower, byAllowance, ['PullPayment']],
      [permitter, byAllowance, ['Permit', 'PullPayment']],
      [authorizer, { mode: 'pull', means: 'authorization' } as const, ['ReceiveWithAuthorization']],
    ] as const
    for (const [account, how, types] of cases) {
      const wallet = walletFor(account)
      const { submitted, signed } = await wallet.pay(world.terms(account, how))
      expect(submitted).toMatchObject({
        state: 'accepted',
        digest: signed.paymentDigest,
        promise: { outcome: 'promised', guarantee: 'optimistic' },
      })
      expect(wallet.signed).toEqual(types)
    }
  })

  const busy = (status: number, code: string) => [JSON.stringify({ code, retryable: true }), { status }] as const
  test.each([
    ['a gateway answers instead', ['<h1>gateway</h1>', { status: 504 }] as const],
    ['its next try is one too many', busy(429, 'rate_limited')],
    ['its first try is still worked on', busy(409, 'idempotency_in_flight')],
    ['the database cannot say', busy(503, 'store_unavailable')],
  ])('once, though the answer to its submission is lost and %s', async (_, [body, init]) => {
    let isLost = true
    const { url } = await serve(async (request) => {
      const response = await world.app.fetch(request)
      const isSubmission = new URL(request.url).pathname === '/v1/intents'
      return isLost && isSubmission ? new Response(body, init) : response
    })
    const client = createClient({ baseUrl: url, credentials: world.credentials('wallet'), triesMax: 2 })
    const { provider, signed: asked } = world.walletOf(payer)
    const wallet = createWallet({ client, facts, provider })
    const failed = await wallet.pay(world.terms(payer)).catch((error: unknown) => error)
    if (!(failed instanceof OutcomeUnknownError)) throw failed
    isLost = false
    const { id, state } = await wallet.submit(failed.signed)
    expect([state, asked]).toEqual(['accepted', ['Payment']])
    const { rows } =
      await sql`select 1 from intent_digest where digest = ${bytes(failed.signed.paymentDigest)}`.execute(
        world.database,
      )
    expect(rows).toHaveLength(1)
    expect(await wallet.read(id)).toMatchObject({ digest: failed.signed.paymentDigest })
  })

  test('and does not believe a promise that ICE has not signed like that', async () => {
    const { url } = await serve(async (request) => {
      const response = await world.app.fetch(request)
      if (new URL(request.url).pathname !== '/v1/intents') return response
      const receipt = (await response.json()) as Receipt
      const acknowledgement = { ...receipt.acknowledgement, settleBy: '1' }
      return Response.json({ ...receipt, acknowledgement }, { status: response.status })
    })
    const client = createClient({ baseUrl: url, credentials: world.credentials('wallet') })
    const wallet = createWallet({ client, facts, provider: world.walletOf(payer).provider })
    const { submitted } = await wallet.pay(world.terms(payer))
    expect(submitted).toMatchObject({ state: 'accepted', promise: { outcome: 'unproven', step: 'path' } })
  })

  test('what is held for an operator without a promise', async () => {
    const { submitted } = await walletFor(payer).pay(world.terms(payer, { amount: 50_000_001n }))
    expect(submitted).toMatchObject({ state: 'held', promise: undefined })
  })
})

describe('cancels', () => {
  test('an optimistic payment without asking the wallet', async () => {
    const account = await world.minted()
    const wallet = walletFor(account)
    const { submitted, signed } = await wallet.pay(world.terms(account, { mode: 'pull', means: 'authorization' }))
    expect(await wallet.cancel(submitted.id, signed)).toMatchObject({ state: 'cancelling' })
    expect(wallet.signed).toHaveLength(1)
  })

  test('a promised payment with the signatures of payer and payee, and not without the latter', async () => {
    const wallet = walletFor(payer)
    const { submitted, signed } = await wallet.pay(world.terms(payer))
    await expect(wallet.cancel(submitted.id, signed)).rejects.toMatchObject({ code: 'cancel_consent_required' })
    const merchant = createMerchant({ client: world.clientOf('merchant'), facts, appId: 'merchant' })
    const [account] = world.merchants
    if (account === undefined) throw new Error('no payee')
    const { chainId } = world
    const promised = { chainId, payee: account.address, paymentDigest: signed.paymentDigest }
    const consent = await merchant.signConsent(world.walletOf(account).provider, promised)
    expect(await wallet.cancel(submitted.id, signed, { consent })).toMatchObject({ state: 'cancelling' })
    expect(wallet.signed).toEqual(['Payment', 'Cancel', 'Cancel'])
    const { rows } = await sql`select 1 from cancellation`.execute(world.database)
    expect(rows).toHaveLength(1)
  })
})

describe('gives nothing to ICE', () => {
  const failing = (code: number) => ({
    request: async ({ method }: { method: string }) => {
      if (method === 'eth_chainId') return `0x${world.chainId.toString(16)}`
      throw Object.assign(new Error('said the wallet'), { code })
    },
  })

  test.each([
    ['declined', 4001],
    ['failed', -32603],
  ])('when the wallet %s', async (reason, code) => {
    const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider: failing(code) })
    const { rows: before } = await sql`select count(*) from intent`.execute(world.database)
    const paying = wallet.pay(world.terms(payer, { mode: 'independent' }))
    await expect(paying).rejects.toMatchObject({ name: 'WalletError', reason })
    const { rows: after } = await sql`select count(*) from intent`.execute(world.database)
    expect(after).toEqual(before)
  })

  test('when the wallet is on another chain', async () => {
    const { provider } = world.walletOf(payer)
    const elsewhere = {
      request: async (call: { method: string }) => (call.method === 'eth_chainId' ? '0x1' : provider.request(call)),
    }
    const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider: elsewhere })
    await expect(wallet.pay(world.terms(payer))).rejects.toMatchObject({ name: 'WalletError', reason: 'wrong_chain' })
  })

  test('for terms that the facts do not know', async () => {
    const wallet = walletFor(payer)
    const prepared = await wallet.prepare(world.terms(payer))
    for (const [terms, said] of [
      [{ chainId: 1 }, 'chain 1'],
      [{ token: payer.address }, `token ${payer.address}`],
      [{ order: { id: 'po_1', orderRef: '0x01' } }, 'orderRef 0x01'],
    ] as const) {
      await expect(wallet.sign(world.terms(payer, terms), prepared)).rejects.toThrow(said)
    }
    expect(wallet.signed).toEqual([])
  })

  test('when another account signs than was asked', async () => {
    const { provider } = world.walletOf(await world.fund())
    const wallet = createWallet({ client: world.clientOf('wallet'), facts, provider })
    const paying = wallet.pay(world.terms(payer))
    await expect(paying).rejects.toMatchObject({ name: 'WalletError', reason: 'wrong_signature' })
  })
})
