import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { afterAll, describe, expect, test } from 'vitest'
import { createAcknowledger } from '../../adapters/evm/acknowledger.ts'
import { localSigner } from '../../adapters/signer/local.ts'
import { showAcknowledgement } from '../../api/schemas/acknowledgement.ts'
import { merkleProof, merkleRoot } from '../../core/protocol/merkle.ts'
import { type Acknowledgement, acknowledgementLeaf, zeroHash, zeroOrderRef } from '../../core/protocol/typed-data.ts'
import { checkAcknowledgement, type Step } from '../../sdk/acknowledgement.ts'
import type { Facts } from '../../sdk/facts.ts'
import type { AcknowledgementJson } from '../../sdk/intent.ts'

const [chainId, relayerId] = [31337, 7]
const vault = '0x5FbDB2315678afecb367f032d93F642f64180aa3'
const nowSeconds = 1_790_000_000
const digestOf = (index: number): Hex => `0x${`${index + 1}`.padStart(64, '0')}`

async function authorityOf(key: Hex) {
  const authority = localSigner(key)
  const acknowledger = await createAcknowledger({
    authorities: new Map([[chainId, { authority, relayerId, vault }]]),
    newKey: () => localSigner(generatePrivateKey()),
    clock: { nowMillis: () => nowSeconds * 1000 },
  })
  afterAll(acknowledger.stop)
  return { authority, acknowledger }
}
const ours = await authorityOf(`0x${'11'.repeat(32)}`)
const facts: Facts = {
  ...{ acknowledgementAuthority: ours.authority.address, webhookKeys: [] },
  chains: [{ chainId, name: 'local', vault, pullSettler: null, relayerId, tokens: [] }],
}

/** The third of five payments that were accepted together, signed for real. */
async function acknowledged(fields: Partial<Acknowledgement> = {}, { acknowledger } = ours) {
  const leaves = Array.from({ length: 5 }, (_, index) => ({
    ...{ paymentDigest: digestOf(index), orderHash: zeroHash, fee: 0n, guarantee: 'collateralised' as const },
    ...{ acceptedAt: BigInt(nowSeconds), settleBy: BigInt(nowSeconds + 600), ...fields },
  }))
  const hashes = leaves.map(acknowledgementLeaf)
  const [leaf, root] = [leaves[2] as Acknowledgement, merkleRoot(hashes)]
  const key = acknowledger.certificate(chainId)
  const rootSignature = await acknowledger.signRoot(chainId, root)
  return showAcknowledgement({ ...leaf, proof: merkleProof(hashes, 2), root, rootSignature, key } as never)
}
const payment = { chainId, digest: digestOf(2), orderRef: zeroOrderRef, facts }
const good = await acknowledged()

test('is proved, and says what is promised', async () => {
  expect(good.proof).toHaveLength(3)
  expect(await checkAcknowledgement(good, payment)).toMatchObject({
    ...{ outcome: 'promised', guarantee: 'collateralised', fee: 0n, paymentDigest: digestOf(2) },
    ...{ acceptedAt: BigInt(nowSeconds), settleBy: BigInt(nowSeconds + 600) },
  })
})

test('of an order is proved by the first eight bytes of its hash', async () => {
  const orderHash: Hex = `0x${'ab'.repeat(32)}`
  const ordered = await acknowledged({ orderHash })
  const orderRef: Hex = `0x${'AB'.repeat(8)}`
  expect(await checkAcknowledgement(ordered, { ...payment, orderRef })).toMatchObject({
    outcome: 'promised',
    orderHash,
  })
  for (const [one, ref] of [
    [ordered, zeroOrderRef],
    [ordered, `0x${'ac'.repeat(8)}`],
    [good, orderRef],
  ] as const) {
    const checked = await checkAcknowledgement(one, { ...payment, orderRef: ref })
    expect(checked).toMatchObject({ outcome: 'unproven', step: 'order' })
  }
})

const flipped = (hex: string) => `${hex.slice(0, -1)}${hex.endsWith('0') ? '1' : '0'}`
type Change = (from: AcknowledgementJson) => AcknowledgementJson
const key =
  (change: Partial<AcknowledgementJson['key']>): Change =>
  (from) => ({ ...from, key: { ...from.key, ...change } })

describe('is refused at the step where it is wrong:', () => {
  const cases: [string, Step, Change][] = [
    ['another payment', 'digest', (from) => ({ ...from, paymentDigest: digestOf(1) })],
    ['a lower fee', 'path', (from) => ({ ...from, fee: '1' })],
    ['a firmer promise', 'path', (from) => ({ ...from, guarantee: 'optimistic' })],
    ['a later settle-by', 'path', (from) => ({ ...from, settleBy: '1790000601' })],
    ['another time of acceptance', 'path', (from) => ({ ...from, acceptedAt: '1790000001' })],
    ['a shorter path', 'path', (from) => ({ ...from, proof: from.proof.slice(1) })],
    ['a changed sibling', 'path', (from) => ({ ...from, proof: from.proof.map(flipped) })],
    ['another root', 'path', (from) => ({ ...from, root: flipped(from.root) })],
    ['a changed signature of the root', 'root', (from) => ({ ...from, rootSignature: from.key.signature })],
    ['a signature that is no point', 'root', (from) => ({ ...from, rootSignature: `0x${'ff'.repeat(65)}` })],
    ['another key', 'root', key({ key: vault })],
    ['another relayer', 'relayer', key({ relayerId: 8 })],
    ['another authority', 'authority', key({ authority: vault })],
    ['a longer period', 'certificate', key({ notAfter: '1890000000' })],
    ['a changed certificate', 'certificate', (from) => key({ signature: from.rootSignature })(from)],
    ['a short hash', 'shape', (from) => ({ ...from, paymentDigest: '0x01' })],
    ['a guarantee that is none', 'shape', (from) => ({ ...from, guarantee: 'toString' as never })],
    ['no key', 'shape', (from) => ({ ...from, key: null as never })],
    ['no path', 'shape', (from) => ({ ...from, proof: 'x' as never })],
    ['an endless path', 'shape', (from) => ({ ...from, proof: Array(65).fill(zeroHash) })],
  ]
  test.each(cases)('%s', async (_, step, change) => {
    expect(await checkAcknowledgement(change(good), payment)).toMatchObject({ outcome: 'unproven', step })
  })

  test('a key that somebody else certified, or that was certified for another vault', async () => {
    const theirs = await acknowledged({}, await authorityOf(`0x${'22'.repeat(32)}`))
    expect(await checkAcknowledgement(theirs, payment)).toMatchObject({ outcome: 'unproven', step: 'authority' })
    const renamed = key({ authority: facts.acknowledgementAuthority })(theirs)
    expect(await checkAcknowledgement(renamed, payment)).toMatchObject({ outcome: 'unproven', step: 'certificate' })
    const [chain] = facts.chains
    if (chain === undefined) throw new Error('no chain')
    const elsewhere = { ...facts, chains: [{ ...chain, vault: facts.acknowledgementAuthority }] }
    const checked = await checkAcknowledgement(good, { ...payment, facts: elsewhere })
    expect(checked).toMatchObject({ outcome: 'unproven', step: 'root' })
  })

  test('a second before the key was good, a second after; and not in its first and last', async () => {
    const { notBefore, notAfter } = ours.acknowledger.certificate(chainId)
    for (const acceptedAt of [notBefore - 1n, notAfter + 1n]) {
      const late = await acknowledged({ acceptedAt })
      expect(await checkAcknowledgement(late, payment)).toMatchObject({ outcome: 'unproven', step: 'period' })
    }
    for (const acceptedAt of [notBefore, notAfter]) {
      const just = await acknowledged({ acceptedAt })
      expect(await checkAcknowledgement(just, payment)).toMatchObject({ outcome: 'promised', acceptedAt })
    }
  })
})
