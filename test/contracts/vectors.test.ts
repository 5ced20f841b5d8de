import { ethers } from 'ethers'
import { type Address, type Hex, hashTypedData, recoverAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { merkleFold, merkleRoot } from '../../core/protocol/merkle.ts'
import { decodeBatch, decodeResults, encodeBatch } from '../../core/protocol/packed.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import {
  acknowledgementKeyDigest,
  acknowledgementLeaf,
  acknowledgementRootDigest,
  cancelDigest,
  domainOf,
  domainSeparator,
  type Payment,
  paymentDigest,
  types,
} from '../../core/protocol/typed-data.ts'
import acknowledgementVector from '../vectors/acknowledgement.json' with { type: 'json' }
import packedVector from '../vectors/packed.json' with { type: 'json' }
import signatureVector from '../vectors/signature.json' with { type: 'json' }
import typedDataVector from '../vectors/typed-data.json' with { type: 'json' }
import { chainId, deployVault, relayerId } from './deployment.ts'

const domain = domainOf({ chainId, vault: typedDataVector.domain.verifyingContract as Address })
const separator = domainSeparator(domain)
const startsAt = Number(packedVector.at) - 86_400

describe('typed data', () => {
  test('is in the domain of the vault that the vectors name', async () => {
    const { vault } = await deployVault({ startsAt })
    expect(vault.address.toLowerCase()).toBe(domain.verifyingContract.toLowerCase())
    expect(separator).toBe(typedDataVector.domainSeparator)
    expect(await vault.read.DOMAIN_SEPARATOR()).toBe(separator)
    expect(ethers.TypedDataEncoder.hashDomain(domain)).toBe(separator)
    const [, name, version, chain, address] = await vault.read.eip712Domain()
    expect({ name, version, chainId: Number(chain), verifyingContract: address }).toEqual(typedDataVector.domain)
  })

  test.each(typedDataVector.cases)('$type: viem and ethers agree on digest and signer', async (vector) => {
    const { type, message, digest, signer, signature } = vector
    const fields = typesOf(type as keyof typeof types)
    expect(hashTypedData({ domain, types: fields, primaryType: type, message })).toBe(digest)
    expect(ethers.TypedDataEncoder.hash(domain, fields, message)).toBe(digest)
    expect(await new ethers.Wallet(vector.privateKey).signTypedData(domain, fields, message)).toBe(signature.full)
    expect(ethers.Signature.from(signature.full).compactSerialized).toBe(signature.compact)
    for (const form of [signature.full, signature.compact]) {
      expect(ethers.recoverAddress(digest, ethers.Signature.from(form))).toBe(signer)
    }
    expect(await recoverAddress({ hash: digest as Hex, signature: signature.full as Hex })).toBe(signer)
    expect(privateKeyToAccount(vector.privateKey as Hex).address).toBe(signer)
  })

  test('the vault computes the same digest of every payment', async () => {
    const { vault } = await deployVault({ startsAt })
    const payments = [
      ...typedDataVector.cases
        .filter(({ type }) => type === 'Payment')
        .map((c) => ({ ...c.message, digest: c.digest })),
      ...packedVector.batches.flatMap((batch) => batch.payments),
    ]
    expect(payments.length).toBeGreaterThan(10)
    for (const vector of payments) {
      const payment = paymentOf(vector as PaymentJson)
      expect(paymentDigest(separator, payment)).toBe(vector.digest)
      expect(await vault.read.paymentDigest([payment])).toBe(vector.digest)
    }
  })
})

describe('packed batches', () => {
  const batches = packedVector.batches.map((batch) => ({
    title: batch.title,
    blob: batch.blob as Hex,
    expected: [...batch.payments, ...batch.cancels].map(({ takesEffect }) => takesEffect),
    results: batch.results as Hex,
    deposit: BigInt(batch.deposit),
    parts: {
      token: batch.token as Address,
      scale: BigInt(batch.scale),
      anchor: batch.anchor as Hex,
      payments: batch.payments.map((p) => ({ ...paymentOf(p), signature: p.signature.compact as Hex })),
      cancels: batch.cancels.map((c) => ({
        payer: c.payer as Address,
        token: c.token as Address,
        nonce: BigInt(c.nonce),
        deadline: BigInt(c.deadline),
        signature: c.signature.compact as Hex,
      })),
    },
  }))

  test.each(batches)('$title: encode and decode to the same bytes', ({ blob, parts }) => {
    expect(encodeBatch(parts)).toBe(blob)
    const again = decodeBatch(blob, parts.scale)
    expect(encodeBatch({ ...again, scale: parts.scale })).toBe(blob)
    expect(again.payments.map((p) => paymentDigest(separator, p))).toEqual(
      parts.payments.map((p) => paymentDigest(separator, p)),
    )
    expect(again.cancels.map((c) => cancelDigest(separator, c))).toEqual(
      parts.cancels.map((c) => cancelDigest(separator, c)),
    )
  })

  test.each(batches)('$title: the vault settles exactly what the vector says', async (batch) => {
    const { vault, token, wideToken, deposit, settle } = await deployVault({ startsAt })
    const { parts, results } = batch
    const paidIn = parts.token === token.address ? token : wideToken
    expect(paidIn.address.toLowerCase()).toBe(parts.token.toLowerCase())
    for (const payer of new Set([...parts.payments, ...parts.cancels].map((record) => record.payer))) {
      await deposit({ payer, of: paidIn, amount: batch.deposit })
    }

    const { event } = await settle(batch.blob, BigInt(packedVector.at))
    expect(event).toEqual({
      ...{ anchor: parts.anchor, token: paidIn.address, relayerId, results },
      ...{ paymentCount: BigInt(parts.payments.length), cancelCount: BigInt(parts.cancels.length) },
    })
    expect(decodeResults(results, batch.expected.length)).toEqual(batch.expected)

    const settled = parts.payments.filter((_, i) => batch.expected[i])
    for (const payee of new Set(parts.payments.map((p) => p.payee))) {
      const owed = settled.filter((p) => p.payee === payee).reduce((sum, p) => sum + p.amount, 0n)
      expect(await paidIn.read.balanceOf([payee])).toBe(owed)
    }
    for (const [i, { payer, nonce }] of [...parts.payments, ...parts.cancels].entries()) {
      if (batch.expected[i]) expect(await vault.read.isNonceUsed([payer, parts.token, nonce])).toBe(true)
    }
  })
})

describe('acknowledgements', () => {
  const vector = acknowledgementVector
  const acks = vector.acknowledgements.map((ack) => ({
    paymentDigest: ack.paymentDigest as Hex,
    orderHash: ack.orderHash as Hex,
    fee: BigInt(ack.fee),
    guarantee: ack.guarantee,
    acceptedAt: BigInt(ack.acceptedAt),
    settleBy: BigInt(ack.settleBy),
    leaf: ack.leaf as Hex,
    proof: ack.proof as Hex[],
  }))
  const key = {
    relayerId: vector.key.relayerId,
    key: vector.key.key as Address,
    notBefore: BigInt(vector.key.notBefore),
    notAfter: BigInt(vector.key.notAfter),
  }

  test('every leaf folds up to the signed root', () => {
    for (const { leaf, proof, guarantee, ...ack } of acks) {
      expect(acknowledgementLeaf({ ...ack, guarantee: guarantee === 1 ? 'collateralised' : 'optimistic' })).toBe(leaf)
      expect(
        ethers.TypedDataEncoder.hashStruct('Acknowledgement', typesOf('Acknowledgement'), { ...ack, guarantee }),
      ).toBe(leaf)
      expect(merkleFold(leaf, proof)).toBe(vector.root)
    }
    expect(merkleRoot(acks.map(({ leaf }) => leaf))).toBe(vector.root)
    expect(acknowledgementRootDigest(separator, vector.root as Hex)).toBe(vector.rootDigest)
    expect(acknowledgementKeyDigest(separator, key)).toBe(vector.keyDigest)
    const recover = (digest: string, signature: string) => ethers.recoverAddress(digest, signature)
    expect(recover(vector.rootDigest, vector.rootSignature.full)).toBe(key.key)
    expect(recover(vector.keyDigest, vector.keySignature.full)).toBe(vector.authority)
  })

  test.each(['full', 'compact'] as const)('a stranger settles the overdue payment, %s signatures', async (form) => {
    const { client, control, owner, vault, token, deposit } = await deployVault({ startsAt })
    const ack = acks[vector.overdueIndex]
    if (ack === undefined) throw new Error('the vector names its overdue promise')
    const payment = paymentOf(vector.payment)
    await deposit({ payer: payment.payer, amount: payment.amount })
    await vault.write.setAcknowledger([key.relayerId, vector.authority as Address])
    await control.setNextBlockTimestamp({ timestamp: BigInt(vector.at) })
    const { leaf, proof, ...terms } = ack
    const hash = await owner.writeContract({
      address: vault.address,
      abi: vault.abi,
      functionName: 'settleOverdue',
      args: [
        payment,
        vector.payment.signature[form] as Hex,
        terms,
        proof,
        vector.rootSignature[form] as Hex,
        key,
        vector.keySignature[form] as Hex,
      ],
    })
    const { blockHash } = await client.waitForTransactionReceipt({ hash })
    const [event] = await vault.getEvents.OverdueSettled({}, { blockHash, strict: true })
    const { payer, payee, amount, nonce, orderRef } = payment
    expect(event?.args).toEqual({
      ...{ paymentDigest: vector.payment.digest, token: token.address },
      ...{ payer, payee, amount, nonce, orderRef },
    })
    expect(await token.read.balanceOf([payee])).toBe(amount)
  })
})

describe('signatures', () => {
  test.each(signatureVector.cases)('$why: $outcome', (vector) => {
    const parsed = parseSignature(vector.input as Hex)
    expect(parsed.outcome).toBe(vector.outcome)
    if (parsed.outcome !== 'ok') return
    expect(parsed).toMatchObject({ compact: vector.compact, full: vector.full })
    expect(ethers.recoverAddress(signatureVector.digest, parsed.full)).toBe(signatureVector.signer)
  })
})

type PaymentJson = { readonly [field in keyof Payment]: string }

function paymentOf(json: PaymentJson): Payment {
  return {
    payer: json.payer as Address,
    payee: json.payee as Address,
    token: json.token as Address,
    amount: BigInt(json.amount),
    nonce: BigInt(json.nonce),
    deadline: BigInt(json.deadline),
    orderRef: json.orderRef as Hex,
  }
}

function typesOf(name: keyof typeof types) {
  return { [name]: types[name].map((field) => ({ ...field })) }
}
