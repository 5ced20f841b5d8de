import { describe, expect, test } from 'vitest'
import type { TypedDataJson } from '../../core/protocol/signable.ts'
import type { Prepared } from '../../sdk/intent.ts'
import { createMerchant } from '../../sdk/merchant.ts'
import { createLiar, type Lie, shown, thief } from './liar.ts'

const { world, facts, say, walletOf, clientOf, consistent, refused } = await createLiar()
const [payer] = world.payers
if (payer === undefined) throw new Error('no payer')
await world.depositFor(payer)
await world.see()

test('the same way lets the truth pass', async () => {
  const { wallet, signed } = walletOf(payer)
  say(consistent({}))
  const { submitted } = await wallet.pay(world.terms(payer, { mode: 'independent' }))
  expect([submitted.state, signed]).toEqual(['accepted', ['Payment']])
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
    ['for another chain', consistent({}, { onChain: 1 }), 'chainId'],
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
      (honest) => ({
        ...honest,
        permit: { value: '1', nonce: '0', deadline: '1', typedData: honest.typedData, digest: '0x' },
      }),
      'permit',
    ],
  ]
  test.each(cases)('%s', async (_, told, field) => refused(payer, { mode: 'independent' }, told, field))

  test('for another order than was asked for', async () => {
    const merchant = createMerchant({ client: world.clientOf('merchant'), facts, appId: 'merchant' })
    const { chainId, payee, token, amount } = world.terms(payer)
    const { id, orderRef } = await merchant.createOrder({ chainId, payee, token, amount, reference: 'r' })
    await refused(payer, { order: { id, orderRef } }, consistent({ orderRef: '0x0101010101010101' }), 'orderRef')
  })
})

test('a cancel of another payment is not signed', async () => {
  const { wallet, signed } = walletOf(payer)
  say((honest: Prepared) => honest)
  const { submitted, signed: payment } = await wallet.pay(world.terms(payer, { mode: 'independent' }))
  type Asked = { readonly typedData: TypedDataJson }
  say(({ typedData, ...problem }: Asked) => {
    return { ...problem, typedData: { ...typedData, message: { ...typedData.message, nonce: '63' } } }
  })
  const cancelling = wallet.cancel(submitted.id, payment)
  await expect(cancelling).rejects.toMatchObject({ name: 'SigningRefusedError', field: 'typedData.message.nonce' })
  expect(signed).toEqual(['Payment'])
})

test('a payee does not sign that it belongs to another app, nor for another time', async () => {
  const [payee] = world.merchants
  if (payee === undefined) throw new Error('no payee')
  const { provider, signed } = world.walletOf(payee)
  const merchant = createMerchant({ client: clientOf('merchant'), facts, appId: 'merchant' })
  type Ownership = { readonly issuedAt: string; readonly typedData: TypedDataJson }
  const lies = [
    ['typedData.message.app', ({ typedData }: Ownership) => ({ message: { ...typedData.message, app: 'thief' } })],
    [
      'typedData.domain.verifyingContract',
      ({ typedData }: Ownership) => ({ domain: { ...typedData.domain, verifyingContract: thief } }),
    ],
  ] as const
  for (const [field, change] of lies) {
    say((honest: Ownership) => ({ ...honest, typedData: { ...honest.typedData, ...change(honest) } }))
    const proving = merchant.provePayee(provider, { chainId: world.chainId, payee: payee.address })
    await expect(proving).rejects.toMatchObject({ name: 'SigningRefusedError', field })
  }
  say((honest: Ownership) => ({ ...honest, issuedAt: `${Number(honest.issuedAt) + 3600}` }))
  const proving = merchant.provePayee(provider, { chainId: world.chainId, payee: payee.address })
  await expect(proving).rejects.toMatchObject({ field: 'issuedAt' })
  expect(signed).toEqual([])
})
