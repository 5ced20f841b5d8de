import { ethers } from 'ethers'
import { type Address, type Hex, hashTypedData, parseSignature, recoverAddress } from 'viem'
import { describe, expect, test } from 'vitest'
import { decodeResults } from '../../core/protocol/packed.ts'
import { decodePullBatch, encodePullBatch } from '../../core/protocol/packed-pull.ts'
import {
  authorizationDigest,
  depositModes,
  depositNonce,
  domainOf,
  domainSeparator,
  pullAuthorization,
  pullPaymentDigest,
  types,
} from '../../core/protocol/typed-data.ts'
import vectors from '../vectors/pull.json' with { type: 'json' }
import { chainId, deployVault, relayerId } from './deployment.ts'

const domain = domainOf({ chainId, vault: vectors.domain.verifyingContract as Address })
const separator = domainSeparator(domain)
const tokenDomain = { ...vectors.tokenDomain, verifyingContract: vectors.tokenDomain.verifyingContract as Address }
const tokenSeparator = vectors.tokenDomainSeparator as Hex
const startsAt = Number(vectors.at) - 86_400
const fieldsOf = (name: 'PullPayment' | 'ReceiveWithAuthorization' | 'DepositAuthorization') => ({
  [name]: types[name].map((field) => ({ ...field })),
})

type PaymentJson = (typeof vectors.allowances)[number] | (typeof vectors.authorizations)[number]
const recordOf = (json: PaymentJson) => ({
  payment: {
    ...{ payer: json.payer as Address, payee: json.payee as Address, token: json.token as Address },
    ...{ amount: BigInt(json.amount), nonce: BigInt(json.nonce), deadline: BigInt(json.deadline) },
    orderRef: json.orderRef as Hex,
  },
  digest: json.digest as Hex,
  signature: json.signature.compact as Hex,
  takesEffect: json.takesEffect,
})
const allowances = vectors.allowances.map(recordOf)
const authorizations = vectors.authorizations.map(recordOf)
const packed = ({ payment, signature }: ReturnType<typeof recordOf>) => ({ ...payment, signature })
const batch = {
  token: vectors.token as Address,
  scale: 1n,
  anchor: vectors.anchor as Hex,
  payout: 'netted',
  permits: [],
  allowances: allowances.map(packed),
  authorizations: authorizations.map(packed),
} as const

describe('pull vectors', () => {
  test('viem, ethers, the settler and we agree on every digest', async () => {
    const { settler } = await deployVault({ startsAt })
    expect(settler.address.toLowerCase()).toBe(domain.verifyingContract.toLowerCase())
    expect(await settler.read.DOMAIN_SEPARATOR()).toBe(separator)
    for (const { payment, digest } of allowances) {
      expect(pullPaymentDigest(separator, payment)).toBe(digest)
      expect(ethers.TypedDataEncoder.hash(domain, fieldsOf('PullPayment'), payment)).toBe(digest)
      const message = { domain, types: fieldsOf('PullPayment'), primaryType: 'PullPayment', message: payment }
      expect(hashTypedData(message)).toBe(digest)
      expect(await settler.read.pullPaymentDigest([payment])).toBe(digest)
    }
    for (const { payment, digest } of authorizations) {
      const authorization = pullAuthorization(domain, payment)
      expect(authorization.nonce).toBe(await settler.read.pullPaymentDigest([payment]))
      expect(authorizationDigest(tokenSeparator, authorization)).toBe(digest)
      const fields = fieldsOf('ReceiveWithAuthorization')
      expect(ethers.TypedDataEncoder.hash(tokenDomain, fields, authorization)).toBe(digest)
    }
  })

  test('encode and decode to the same bytes, permits and payout as well', () => {
    expect(encodePullBatch(batch)).toBe(vectors.blob)
    const again = decodePullBatch(vectors.blob as Hex, 1n)
    expect(encodePullBatch({ ...again, scale: 1n })).toBe(vectors.blob)
    const signature: Hex = `0x${'5c'.repeat(64)}`
    const owner: Address = '0x00000000000000000000000000000000000a11ce'
    const permits = [{ owner, value: 2n ** 256n - 1n, deadline: 2n ** 64n, signature }]
    const direct = { ...batch, payout: 'direct', permits } as const
    expect(decodePullBatch(encodePullBatch(direct), 1n)).toMatchObject({ payout: 'direct', permits })
    expect(() => decodePullBatch((vectors.blob as Hex).slice(0, -2) as Hex, 1n)).toThrow(RangeError)
  })

  test('the settler settles exactly what the vector says', async () => {
    const { settler, authorizingToken, allow, settlePull } = await deployVault({ startsAt })
    expect(authorizingToken.address.toLowerCase()).toBe(batch.token.toLowerCase())
    const records = [...allowances, ...authorizations]
    const hoard = { of: authorizingToken, amount: BigInt(vectors.balance), spender: settler.address }
    for (const payer of new Set(records.map(({ payment }) => payment.payer))) await allow({ payer, ...hoard })
    const { event } = await settlePull(vectors.blob as Hex, BigInt(vectors.at))
    expect(event).toEqual({
      ...{ anchor: batch.anchor, token: authorizingToken.address, relayerId, results: vectors.results },
      ...{ allowanceCount: BigInt(allowances.length), authorizationCount: BigInt(authorizations.length) },
    })
    const effects = records.map(({ takesEffect }) => takesEffect)
    expect(decodeResults(vectors.results as Hex, records.length)).toEqual(effects)
    for (const payee of new Set(records.map(({ payment }) => payment.payee))) {
      const paid = records.filter(({ payment, takesEffect }) => takesEffect && payment.payee === payee)
      const owed = paid.reduce((sum, { payment }) => sum + payment.amount, 0n)
      expect(await authorizingToken.read.balanceOf([payee])).toBe(owed)
    }
  })

  test('the vault takes the deposit by authorization for the signer alone', async () => {
    const { client, owner, vault, authorizingToken } = await deployVault({ startsAt })
    const { account, authorization, digest, signature } = vectors.deposit
    const terms = {
      ...account,
      payer: account.payer as Address,
      token: account.token as Address,
      salt: account.salt as Hex,
    }
    const mode = account.mode as keyof typeof depositModes
    expect(depositNonce({ ...terms, mode })).toBe(authorization.nonce)
    const struct = { ...terms, mode: depositModes[mode] }
    expect(ethers.TypedDataEncoder.hashStruct('DepositAuthorization', fieldsOf('DepositAuthorization'), struct)).toBe(
      authorization.nonce,
    )
    const fields = fieldsOf('ReceiveWithAuthorization')
    expect(ethers.TypedDataEncoder.hash(tokenDomain, fields, authorization)).toBe(digest)
    expect(await recoverAddress({ hash: digest as Hex, signature: signature.full as Hex })).toBe(account.payer)

    const value = BigInt(authorization.value)
    await authorizingToken.write.mint([terms.payer, value])
    const { r, s, yParity } = parseSignature(signature.full as Hex)
    const times = [BigInt(authorization.validAfter), BigInt(authorization.validBefore)] as const
    const hash = await owner.writeContract({
      address: vault.address,
      abi: vault.abi,
      functionName: 'depositWithAuthorization',
      args: [struct, value, ...times, 27 + yParity, r, s],
    })
    await client.waitForTransactionReceipt({ hash })
    const { balance } = await vault.read.chainedAccountOf([terms.payer, terms.token])
    expect(balance).toBe(value)
  })
})
