import { describe, expect, test } from 'vitest'
import { signablePermit } from '../../core/protocol/signable.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import { createLiar, type Lie, shown, thief } from './liar.ts'

const { world, tokenDomain, say, walletOf, consistent, refused } = await createLiar()
const poor = await world.minted()

test('the same way lets the truth pass', async () => {
  for (const [terms, types] of [
    [{ mode: 'pull', means: 'allowance' }, ['Permit', 'PullPayment']],
    [{ mode: 'pull', means: 'authorization' }, ['ReceiveWithAuthorization']],
  ] as const) {
    const { wallet, signed } = walletOf(poor)
    say(consistent({}))
    const wanted = world.terms(poor, terms)
    await wallet.sign(wanted, await wallet.prepare(wanted))
    expect(signed).toEqual(types)
  }
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
    [
      'a permit with a digest of something else',
      (honest) => ({ ...honest, permit: honest.permit && { ...honest.permit, digest: zeroHash } }),
      'permit.digest',
    ],
    ['a permit that lasts', permit({ deadline: 4_000_000_000n }), 'permit.deadline'],
  ])('%s', async (_, told, field) => refused(poor, byAllowance, told, field))

  test('a permit of more than the user said, to the unit', async () => {
    const { wallet, signed } = walletOf(poor)
    say(permit({ value: 3_000_000n }))
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
