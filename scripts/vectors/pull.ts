import { type Hex, hashDomain, keccak256, stringToHex } from 'viem'
import { encodePullBatch } from '../../core/protocol/packed-pull.ts'
import {
  authorizationDigest,
  type DepositAuthorization,
  depositNonce,
  domainOf,
  domainSeparator,
  type PullPayment,
  pullAuthorization,
  pullPaymentDigest,
} from '../../core/protocol/typed-data.ts'
import {
  addressOf,
  alice,
  at,
  authorizingToken,
  bitmapOf,
  bob,
  cafe,
  chainId,
  keyOf,
  pullSettler,
  shop,
  signatureOf,
  source,
  vault,
} from './actors.ts'

const domain = domainOf({ chainId, vault: pullSettler })
const separator = domainSeparator(domain)
const tokenDomain = { name: 'Authorizing', version: '1', chainId, verifyingContract: authorizingToken } as const
const tokenSeparator = hashDomain({
  domain: { ...tokenDomain, chainId: BigInt(chainId) },
  types: {
    EIP712Domain: [
      { name: 'name', type: 'string' },
      { name: 'version', type: 'string' },
      { name: 'chainId', type: 'uint256' },
      { name: 'verifyingContract', type: 'address' },
    ],
  },
})

type Record = { readonly signer: number; readonly payment: PullPayment; readonly why: string }

/** A batch that settles at `at`, and a deposit by authorization. Every payer holds `balance` at home and allows all of it. */
export async function pull() {
  const record = (signer: number, changes: Partial<PullPayment>, why = 'good'): Record => ({
    signer,
    why,
    payment: {
      payer: addressOf(signer),
      payee: addressOf(shop),
      token: authorizingToken,
      amount: 1_250_000n,
      nonce: 1n,
      deadline: at + 3_600n,
      orderRef: '0x1122334455667788',
      ...changes,
    },
  })
  const allowances = await Promise.all(
    [
      record(alice, {}),
      record(alice, { nonce: 2n, payee: addressOf(cafe), deadline: at }),
      record(alice, {}, 'the nonce is used by the first'),
      record(bob, { payer: addressOf(alice), nonce: 3n }, 'signed by another'),
      record(bob, { amount: 5_000_000n }),
    ].map(async ({ signer, payment, why }) => {
      const digest = pullPaymentDigest(separator, payment)
      return { ...payment, digest, signature: await signatureOf(signer, digest), takesEffect: why === 'good', why }
    }),
  )
  const authorizations = await Promise.all(
    [
      record(bob, { nonce: 2n, payee: addressOf(cafe) }),
      record(bob, { amount: 5_000_000n }, 'the nonce is used by an allowance'),
    ].map(async ({ signer, payment, why }) => {
      const authorization = pullAuthorization(domain, payment)
      const digest = authorizationDigest(tokenSeparator, authorization)
      const signature = await signatureOf(signer, digest)
      return { ...payment, authorization, digest, signature, takesEffect: why === 'good', why }
    }),
  )
  const anchor = keccak256(stringToHex('anchor of: pulled'))
  const packed = <T extends { readonly signature: { readonly compact: Hex } }>(signed: T) => ({
    ...signed,
    signature: signed.signature.compact,
  })
  const batch = { token: authorizingToken, scale: 1n, anchor, payout: 'netted', permits: [] } as const
  return {
    source,
    domain,
    domainSeparator: separator,
    tokenDomain,
    tokenDomainSeparator: tokenSeparator,
    at,
    relayerId: 7,
    balance: 100_000_000n,
    ...{ ...batch, allowances, authorizations },
    blob: encodePullBatch({ ...batch, allowances: allowances.map(packed), authorizations: authorizations.map(packed) }),
    results: bitmapOf([...allowances, ...authorizations].map(({ takesEffect }) => takesEffect)),
    deposit: await deposit(),
  }
}

async function deposit() {
  const account: DepositAuthorization = {
    payer: addressOf(alice),
    token: authorizingToken,
    mode: 'chained',
    relayerId: 7,
    salt: keccak256(stringToHex('salt')),
  }
  const authorization = {
    from: account.payer,
    to: vault,
    value: 10_000_000n,
    validAfter: 0n,
    validBefore: at + 3_600n,
    nonce: depositNonce(account),
  }
  const digest = authorizationDigest(tokenSeparator, authorization)
  return { account, authorization, digest, privateKey: keyOf(alice), signature: await signatureOf(alice, digest) }
}
