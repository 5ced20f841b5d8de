import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { showPayment } from '../../api/schemas/intent.ts'
import { signablePayment, signablePermit, type TokenDomain } from '../../api/schemas/typed-data.ts'
import type { Taking } from '../../core/protocol/taking.ts'
import { domainOf, type Payment } from '../../core/protocol/typed-data.ts'
import { createClient } from '../../sdk/client.ts'
import type { Facts } from '../../sdk/facts.ts'
import type { Prepared, Terms, TypedDataJson } from '../../sdk/intent.ts'
import { createMerchant } from '../../sdk/merchant.ts'
import { createWallet } from '../../sdk/wallet.ts'
import { createWorld, serve, type World } from './world.ts'

type Lie = (honest: Prepared) => Prepared

const thief = '0x000000000000000000000000000000000000dEaD'
let world: World
let facts: Facts
let payer: PrivateKeyAccount
let poor: PrivateKeyAccount
let url: string
let lie: (body: never) => object = (body) => body
let tokenDomain: TokenDomain

/** In front of the real API: what it prepares, and what it asks to be signed for a cancel, passes through a liar. */
beforeAll(async () => {
  world = await createWorld()
  facts = await world.clientOf('wallet').facts()
  payer = world.payers[0] as PrivateKeyAccount
  await world.depositFor(payer)
  poor = await world.minted()
  await world.approve(poor, world.pullSettler, 0n)
  const { chainId, token } = world
  tokenDomain = { name: 'Demo US Dollar', version: '1', chainId, verifyingContract: token.address }
  ;({ url } = await serve(async (request) => {
    const response = await world.app.fetch(request)
    const { pathname } = new URL(request.url)
    if (!/prepare$|cancel$/.test(pathname)) return response
    return Response.json(lie((await response.json()) as never), { status: response.status })
  }))
})

/** A lie that fits itself: intent, typed data and digest all say the same wrong thing. */
function consistent(
  change: Partial<Payment>,
  { contract, chainId, taking }: { contract?: Payment['payee']; chainId?: number; taking?: Partial<Taking> } = {},
): Lie {
  return (honest) => {
    const { intent } = honest
    const { payee, token, amount, nonce, sequence, deadline, orderRef, mode, means, previous } = intent
    const told = { payer: intent.payer, payee, token, orderRef } as Payment
    const numbers = { amount: BigInt(amount), nonce: BigInt(nonce ?? sequence ?? 0), deadline: BigInt(deadline) }
    const payment = { ...told, ...numbers, ...change }
    const taken = { mode, means, previous, ...taking } as Taking
    const at = { chainId: chainId ?? world.chainId, vault: contract ?? (intent.contract as Payment['payee']) }
    return {
      ...honest,
      intent: showPayment({ chainId: at.chainId, contract: at.vault, payment, taking: taken }),
      ...signablePayment(domainOf(at), payment, taken, tokenDomain),
    }
  }
}

/** Only what the wallet shows and signs is wrong. */
const shown =
  (change: (typedData: TypedDataJson) => TypedDataJson): Lie =>
  (honest) => ({ ...honest, typedData: change(honest.typedData) })

async function refused(account: PrivateKeyAccount, terms: Partial<Terms>, told: Lie, field: string) {
  const { provider, signed } = world.walletOf(account)
  const client = createClient({ baseUrl: url, credentials: world.credentials('wallet') })
  const wallet = createWallet({ client, facts, provider })
  lie = told as typeof lie
  const paying = wallet.pay(world.terms(account, terms))
  await expect(paying).rejects.toMatchObject({ name: 'SigningRefusedError', field })
  expect(signed).toEqual([])
}

test('the same way lets the truth pass', async () => {
  for (const [account, terms, types] of [
    [payer, { mode: 'independent' }, ['Payment']],
    [poor, { mode: 'pull', means: 'allowance', amount: 1_000n }, ['Permit', 'PullPayment']],
    [poor, { mode: 'pull', means: 'authorization', amount: 1_000n }, ['ReceiveWithAuthorization']],
  ] as const) {
    const { provider, signed } = world.walletOf(account)
    const client = createClient({ baseUrl: url, credentials: world.credentials('wallet') })
    lie = consistent({}) as typeof lie
    await createWallet({ client, facts, provider }).sign(
      world.terms(account, terms),
      await createWallet({ client, facts, provider }).prepare(world.terms(account, terms)),
    )
    expect(signed).toEqual(types)
  }
})

describe('the wallet is not asked to sign', () => {
  const lateDeadline = BigInt(Math.floor(Date.now() / 1000) + 13 * 3600)
  const cases: [string, Lie, string][] = [
    ['another payee', consistent({ payee: thief }), 'payee'],
    ['a larger amount', consistent({ amount: 1_000_001n }), 'amount'],
    ['a smaller amount', consistent({ amount: 999_999n }), 'amount'],
    ['another token', consistent({ token: thief }), 'token'],
    ['for another payer', consistent({ payer: thief }), 'payer'],
    ['an order that was not asked for', consistent({ orderRef: '0x0101010101010101' }), 'orderRef'],
    ['a deadline that has passed', consistent({ deadline: 1_700_000_000n }), 'deadline'],
    ['a deadline beyond twelve hours', consistent({ deadline: lateDeadline }), 'deadline'],
    ['for another contract', consistent({}, { contract: thief }), 'contract'],
    ['for another chain', consistent({}, { chainId: 1 }), 'chainId'],
    ['in another mode than was asked for', consistent({}, { taking: { mode: 'pull', means: 'allowance' } }), 'mode'],
    ['an amount that is no number', (honest) => ({ ...honest, intent: { ...honest.intent, amount: '1e6' } }), 'amount'],
    ['a digest of something else', (honest) => ({ ...honest, digest: `0x${'00'.repeat(32)}` }), 'digest'],
    [
      'typed data that shows another payee than the intent',
      shown((data) => ({ ...data, message: { ...data.message, payee: thief } })),
      'typedData.message.payee',
    ],
    [
      'typed data with another domain name',
      shown((data) => ({ ...data, domain: { ...data.domain, name: 'Other' } })),
      'typedData.domain.name',
    ],
    [
      'typed data for another contract',
      shown((data) => ({ ...data, domain: { ...data.domain, verifyingContract: thief } })),
      'typedData.domain.verifyingContract',
    ],
    [
      'typed data with a salt in its domain',
      shown((data) => ({ ...data, domain: { ...data.domain, salt: '0x01' } })),
      'typedData.domain.salt',
    ],
    [
      'typed data of another type',
      shown((data) => ({ ...data, primaryType: 'ChainedPayment' })),
      'typedData.primaryType',
    ],
    [
      'typed data whose fields have other types',
      shown((data) => ({
        ...data,
        types: { ...data.types, Payment: (data.types.Payment ?? []).map((field) => ({ ...field, type: 'string' })) },
      })),
      'typedData.types.Payment.0.type',
    ],
    [
      'a permit beside a payment out of the vault',
      (honest) => ({ ...honest, permit: { value: '1', nonce: '0', deadline: '1', typedData: honest.typedData, digest: '0x' } }),
      'permit',
    ],
  ]
  test.each(cases)('%s', async (_, told, field) => refused(payer, { mode: 'independent' }, told, field))

  test('for another order than was asked for', async () => {
    const merchant = createMerchant({ client: world.clientOf('merchant'), facts, appId: 'merchant' })
    const { chainId, payee, token, amount } = world.terms(payer)
    const { id, orderRef } = await merchant.createOrder({ chainId, payee, token, amount, reference: 'r' })
    const order = { id, orderRef: orderRef as `0x${string}` }
    await refused(payer, { order }, consistent({ orderRef: '0x0101010101010101' }), 'orderRef')
  })
})

describe('out of a wallet it is not asked to sign', () => {
  const byAuthorization = { mode: 'pull', means: 'authorization' } as const
  const byAllowance = { mode: 'pull', means: 'allowance' } as const

  test.each<[string, Lie, string]>([
    ['an authorization that binds another payee', consistent({ payee: thief }), 'payee'],
    [
      'an authorization whose nonce is the digest of another payment',
      (honest) => ({ ...honest, ...consistent({ payee: thief })(honest), intent: honest.intent }),
      'typedData.message.nonce',
    ],
    [
      'an authorization for somebody else',
      shown((data) => ({ ...data, message: { ...data.message, to: thief } })),
      'typedData.message.to',
    ],
    [
      'an authorization of more',
      shown((data) => ({ ...data, message: { ...data.message, value: '2000000' } })),
      'typedData.message.value',
    ],
    [
      'in the domain of another token',
      shown((data) => ({ ...data, domain: { ...data.domain, verifyingContract: thief } })),
      'typedData.domain.verifyingContract',
    ],
    ['for another settler', consistent({}, { contract: thief }), 'contract'],
  ])('%s', async (_, told, field) => refused(poor, byAuthorization, told, field))

  const permit =
    (change: object): Lie =>
    (honest) => {
      if (honest.permit === null) throw new Error('no permit was handed out')
      const { value, nonce, deadline } = honest.permit
      const numbers = { value: BigInt(value), nonce: BigInt(nonce), deadline: BigInt(deadline) }
      const terms = { owner: poor.address, spender: world.pullSettler, ...numbers, ...change }
      const texts = { value: `${terms.value}`, nonce: `${terms.nonce}`, deadline: `${terms.deadline}` }
      return { ...honest, permit: { ...texts, ...signablePermit(tokenDomain, terms) } }
    }
  test.each<[string, Lie, string]>([
    ['a permit over more than the payment', permit({ value: 1_000_001n }), 'permit.value'],
    ['a permit over everything', permit({ value: 2n ** 256n - 1n }), 'permit.value'],
    ['a permit for somebody else', permit({ spender: thief }), 'permit.typedData.message.spender'],
    ['a permit that lasts', permit({ deadline: 4_000_000_000n }), 'permit.deadline'],
  ])('%s', async (_, told, field) => refused(poor, byAllowance, told, field))

  test('a permit of more than the user said, to the unit', async () => {
    const { provider, signed } = world.walletOf(poor)
    const client = createClient({ baseUrl: url, credentials: world.credentials('wallet') })
    const wallet = createWallet({ client, facts, provider })
    lie = permit({ value: 3_000_000n }) as typeof lie
    const terms = world.terms(poor, byAllowance)
    const prepared = await wallet.prepare(terms)
    const tooLittle = wallet.sign({ ...terms, permitValueMax: 2_999_999n }, prepared)
    await expect(tooLittle).rejects.toMatchObject({ field: 'permit.value', expected: '1000000 to 2999999' })
    expect(signed).toEqual([])
    const { submission } = await wallet.sign({ ...terms, permitValueMax: 3_000_000n }, prepared)
    expect(submission.permit).toMatchObject({ value: '3000000' })
    expect(signed).toEqual(['Permit', 'PullPayment'])
  })
})

test('a chained payment is signed only behind what the chain or this wallet says came before', async () => {
  const chainer = await world.minted()
  await world.depositChained(chainer)
  // The link of a payment to the thief: whoever signs behind it approves that one, too.
  const forged = { mode: 'chained', previous: `0x${'ab'.repeat(16)}` } as const
  await refused(chainer, { mode: 'chained' }, consistent({}, { taking: forged }), 'previous')
  await refused(chainer, { mode: 'chained' }, consistent({ nonce: 2n }), 'sequence')
  const continues = { sequence: 4n, link: `0x${'cd'.repeat(16)}` } as const
  await refused(chainer, { mode: 'chained', continues }, consistent({}), 'sequence')
  // Nor if a wallet that did not ask for it is given one.
  await refused(chainer, {}, consistent({}, { taking: forged }), 'previous')
})

test('a cancel of another payment is not signed', async () => {
  const { provider, signed } = world.walletOf(payer)
  const client = createClient({ baseUrl: url, credentials: world.credentials('wallet') })
  const wallet = createWallet({ client, facts, provider })
  lie = (body) => body
  const { submitted, signed: payment } = await wallet.pay(world.terms(payer, { mode: 'independent' }))
  type Asked = { readonly typedData: TypedDataJson }
  lie = (({ typedData, ...problem }: Asked) => {
    return { ...problem, typedData: { ...typedData, message: { ...typedData.message, nonce: '63' } } }
  }) as typeof lie
  const cancelling = wallet.cancel(submitted.id, payment)
  await expect(cancelling).rejects.toMatchObject({ name: 'SigningRefusedError', field: 'typedData.message.nonce' })
  expect(signed).toEqual(['Payment'])
})

test('a payee does not sign that it belongs to another app, nor for another time', async () => {
  const [payee] = world.merchants
  if (payee === undefined) throw new Error('no payee')
  const { provider, signed } = world.walletOf(payee)
  const client = createClient({ baseUrl: url, credentials: world.credentials('merchant') })
  const merchant = createMerchant({ client, facts, appId: 'merchant' })
  type Ownership = { readonly issuedAt: string; readonly typedData: TypedDataJson }
  const lies = [
    ['typedData.message.app', ({ typedData }: Ownership) => ({ message: { ...typedData.message, app: 'thief' } })],
    ['typedData.domain.verifyingContract', ({ typedData }: Ownership) => ({ domain: { ...typedData.domain, verifyingContract: thief } })],
  ] as const
  for (const [field, change] of lies) {
    lie = ((honest: Ownership) => ({ ...honest, typedData: { ...honest.typedData, ...change(honest) } })) as typeof lie
    const proving = merchant.provePayee(provider, { chainId: world.chainId, payee: payee.address })
    await expect(proving).rejects.toMatchObject({ name: 'SigningRefusedError', field })
  }
  lie = ((honest: Ownership) => ({ ...honest, issuedAt: `${Number(honest.issuedAt) + 3600}` })) as typeof lie
  const proving = merchant.provePayee(provider, { chainId: world.chainId, payee: payee.address })
  await expect(proving).rejects.toMatchObject({ field: 'issuedAt' })
  expect(signed).toEqual([])
})
