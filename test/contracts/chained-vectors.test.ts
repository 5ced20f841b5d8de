import { ethers } from 'ethers'
import { type Address, type Hex, hashTypedData } from 'viem'
import { describe, expect, test } from 'vitest'
import { decodeResults } from '../../core/protocol/packed.ts'
import { chainedLink, decodeChainedBatch, encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { chainedPaymentDigest, domainOf, domainSeparator, types } from '../../core/protocol/typed-data.ts'
import vectors from '../vectors/chained.json' with { type: 'json' }
import { chainId, deployVault, relayerId } from './deployment.ts'

const domain = domainOf({ chainId, vault: vectors.domain.verifyingContract as Address })
const separator = domainSeparator(domain)
const startsAt = Number(vectors.at) - 86_400
const fields = { ChainedPayment: types.ChainedPayment.map((field) => ({ ...field })) }

const batches = vectors.batches.map((batch) => ({
  title: batch.title,
  blob: batch.blob as Hex,
  results: batch.results as Hex,
  deposit: BigInt(batch.deposit),
  token: batch.token as Address,
  scale: BigInt(batch.scale),
  anchor: batch.anchor as Hex,
  runs: batch.runs.map((run) => ({
    payer: run.payer as Address,
    takesEffect: run.takesEffect,
    signature: run.signature.compact as Hex,
    full: run.signature.full,
    links: run.payments.map((p) => ({
      ...{ payer: p.payer as Address, payee: p.payee as Address, token: p.token as Address },
      ...{ amount: BigInt(p.amount), sequence: BigInt(p.sequence), deadline: BigInt(p.deadline) },
      ...{ orderRef: p.orderRef as Hex, previous: p.previous as Hex, link: p.link as Hex, digest: p.digest as Hex },
    })),
  })),
}))

describe.each(batches)('chained vectors, $title', (batch) => {
  const payments = batch.runs.flatMap((run) => run.links)

  test('viem, ethers, the vault and we agree on every digest', async () => {
    const { vault } = await deployVault({ startsAt })
    for (const { link, digest, ...payment } of payments) {
      expect(chainedPaymentDigest(separator, payment)).toBe(digest)
      expect(hashTypedData({ domain, types: fields, primaryType: 'ChainedPayment', message: payment })).toBe(digest)
      expect(ethers.TypedDataEncoder.hash(domain, fields, payment)).toBe(digest)
      expect(await vault.read.chainedPaymentDigest([payment])).toBe(digest)
    }
  })

  test('a link is the packed keccak of ethers, and the next payment signs it', () => {
    for (const { payee, amount, deadline, orderRef, previous, link } of payments) {
      expect(chainedLink({ payee, amount, deadline, orderRef }, previous, batch.scale)).toBe(link)
      const packed = ethers.solidityPackedKeccak256(
        ['uint40', 'address', 'uint48', 'bytes8', 'bytes16'],
        [deadline, payee, amount / batch.scale, orderRef, previous],
      )
      expect(packed.slice(0, 34)).toBe(link)
    }
    for (const run of batch.runs) {
      expect(run.links.slice(1).map((p) => p.previous)).toEqual(run.links.slice(0, -1).map((p) => p.link))
    }
  })

  test('encodes and decodes to the same bytes', () => {
    expect(encodeChainedBatch(batch)).toBe(batch.blob)
    const again = decodeChainedBatch(batch.blob, batch.scale)
    expect(encodeChainedBatch({ ...again, scale: batch.scale })).toBe(batch.blob)
    expect(again.runs.map((run) => run.links.length)).toEqual(batch.runs.map((run) => run.links.length))
    expect(() => decodeChainedBatch(batch.blob.slice(0, -2) as Hex, batch.scale)).toThrow(RangeError)
    expect(() => decodeChainedBatch(`${batch.blob}00`, batch.scale)).toThrow(RangeError)
  })

  test('the vault settles exactly what the vector says', async () => {
    const { vault, token, wideToken, deposit, settleChained } = await deployVault({ startsAt })
    const paidIn = batch.token === token.address ? token : wideToken
    expect(paidIn.address.toLowerCase()).toBe(batch.token.toLowerCase())
    for (const payer of new Set(batch.runs.map((run) => run.payer))) {
      await deposit({ payer, of: paidIn, amount: batch.deposit, mode: 'chained' })
    }
    const { event } = await settleChained(batch.blob, BigInt(vectors.at))
    expect(event).toEqual({
      ...{ anchor: batch.anchor, token: paidIn.address, relayerId, results: batch.results },
      ...{ runCount: BigInt(batch.runs.length), paymentCount: BigInt(payments.length) },
    })
    expect(decodeResults(batch.results, batch.runs.length)).toEqual(batch.runs.map((run) => run.takesEffect))

    const settled = batch.runs.filter((run) => run.takesEffect)
    for (const payee of new Set(payments.map((p) => p.payee))) {
      const owed = settled.flatMap((run) => run.links).filter((p) => p.payee === payee)
      expect(await paidIn.read.balanceOf([payee])).toBe(owed.reduce((sum, p) => sum + p.amount, 0n))
    }
    for (const payer of new Set(settled.map((run) => run.payer))) {
      const last = settled.findLast((run) => run.payer === payer)?.links.at(-1)
      const { head, sequence } = await vault.read.chainedAccountOf([payer, batch.token])
      expect({ head, sequence: BigInt(sequence) }).toEqual({ head: last?.link, sequence: last?.sequence })
    }
  })
})
