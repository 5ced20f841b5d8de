import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import { type AuditFacts, auditRecordOf } from '../../core/audit.ts'
import { linkOf } from '../../core/chained.ts'
import { appTagOf, auditLeaf, auditRecordSchema, auditTree } from '../../core/protocol/audit-record.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { encodePullBatch } from '../../core/protocol/packed-pull.ts'
import { intentDigest } from '../../core/protocol/taking.ts'
import { domainOf, domainSeparator, type Payment } from '../../core/protocol/typed-data.ts'
import { addressOf, dollar, payment, vault } from './payments.ts'

const word = (byte: string): Hex => `0x${byte.repeat(32)}`
const signatureOf = (byte: string): Hex => `0x${byte.repeat(64)}`
const tag = appTagOf({ salt: `0x${'5a'.repeat(16)}`, appId: 'app-a' })
const separator = domainSeparator(domainOf({ chainId: 31_337, vault }))
const facts: Omit<AuditFacts, 'settled' | 'payments' | 'apps'> = {
  ...{ chainId: 31_337, vault, relayerId: 1, sequence: 5n, previous: word('07'), cancels: new Map() },
  tx: {
    ...{ hash: word('0c'), blockNumber: 7n, blockHash: word('0d'), blockTime: 1n, status: 1n, gasUsed: 2n },
    ...{ effectiveGasPriceWei: 3n, logs: [] },
  },
}
const batch = {
  kind: 'batch',
  batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1hd',
  opening: { sequence: 4n, head: word('04') },
} as const
const anchor = word('0a')
const booked = (signature: Hex) => ({ appId: 'app-a', orderHash: word('aa'), deadline: payment.deadline, signature })
const lower = (text: string) => text.toLowerCase()

describe('of chained runs', () => {
  const [first, second] = [addressOf(0xa1), addressOf(0xa2)]
  const head = `0x${'ee'.repeat(16)}` as const
  const links = [10n, 20n, 30n].map((amount) => ({ ...payment, payer: first, amount, nonce: amount / 10n + 7n }))
  const previous: Hex[] = [head]
  for (const link of links) previous.push(linkOf(link, previous.at(-1) ?? head, 1n))
  const digests = links.map((link, at) =>
    intentDigest(separator, link, { mode: 'chained', previous: previous[at] ?? head }),
  )
  const refused: Payment = { ...payment, payer: second, amount: 40n }
  const record = auditRecordOf({
    ...facts,
    settled: {
      ...batch,
      ...{ scale: 1n, results: '0x05' },
      payload: encodeChainedBatch({
        ...{ token: dollar, scale: 1n, anchor },
        runs: [
          { payer: first, links: links.slice(0, 2), signature: signatureOf('12') },
          { payer: second, links: [refused], signature: signatureOf('21') },
          { payer: first, links: links.slice(2), signature: signatureOf('13') },
        ],
      }),
      starts: new Map([
        [first, { sequence: 7n, head }],
        [second, { sequence: 0n, head }],
      ]),
    },
    // The first payment is not on chain with a signature of its own, but the books have it.
    payments: new Map([
      [digests[0] ?? head, booked(signatureOf('11'))],
      [digests[2] ?? head, booked(signatureOf('13'))],
    ]),
    apps: new Map([['app-a', { tag, first: 41n, count: 2 }]]),
  })

  test('fits the schema, and each entry has a leaf', () => {
    expect(auditRecordSchema.parse(record)).toEqual(record)
    expect(record.merkle).toEqual(auditTree(record.payments))
    expect(new Set(record.merkle.leaves).size).toBe(4)
  })

  test('says of each payment its place in the account, and of a run the one bit that its payments share', () => {
    expect(record.payments).toMatchObject([
      { kind: 'chained', index: '0', sequence: '8', previous: head, digest: digests[0], result: true },
      { kind: 'chained', index: '0', sequence: '9', previous: previous[1], digest: digests[1], result: true },
      { kind: 'chained', index: '1', payer: lower(second), amount: '40', result: false },
      { kind: 'chained', index: '2', sequence: '10', previous: previous[2], digest: digests[2], result: true },
    ])
  })

  test('names nothing in a refused run that only its payer’s account could tell', () => {
    expect(record.payments[2]).toMatchObject({
      digest: null,
      sequence: null,
      previous: null,
      app: null,
      orderHash: null,
    })
  })

  test('gives every payment the payer’s own signature: from the chain, else from the books, else none', () => {
    const signatures = record.payments.map(({ signature }) => signature)
    expect(signatures).toEqual([signatureOf('11'), signatureOf('12'), signatureOf('21'), signatureOf('13')])
    expect(record.payments.map(({ appSequence }) => appSequence)).toEqual(['41', null, null, '42'])
    expect(record.payments[1]).toMatchObject({ app: null })
  })

  test('has other leaves when any field of a chained entry changes', () => {
    const [entry] = record.payments
    if (entry?.kind !== 'chained') throw new Error('no chained entry')
    for (const field of ['sequence', 'previous', 'digest', 'index'] as const) {
      expect(auditLeaf({ ...entry, [field]: `${entry[field]}0` } as typeof entry), field).not.toBe(auditLeaf(entry))
    }
  })
})

describe('of pulls from wallets', () => {
  const settler = addressOf(0x95)
  const ofSettler = domainSeparator(domainOf({ chainId: 31_337, vault: settler }))
  const pulls = [1n, 2n, 3n].map((nonce) => ({ ...payment, nonce, signature: signatureOf(`1${nonce}`) }))
  const digestOf = (each: Payment) => intentDigest(ofSettler, each, { mode: 'pull', means: 'allowance' })
  const record = auditRecordOf({
    ...{ ...facts, vault: settler },
    settled: {
      ...batch,
      ...{ scale: 1n, results: '0x05', starts: new Map() },
      payload: encodePullBatch({
        ...{ token: dollar, scale: 1n, anchor, payout: 'netted', permits: [] },
        ...{ allowances: pulls.slice(0, 2), authorizations: pulls.slice(2) },
      }),
    },
    payments: new Map(pulls.map((each) => [digestOf(each), booked(each.signature)])),
    apps: new Map([['app-a', { tag, first: 1n, count: 2 }]]),
  })

  test('fits the schema, and names the contract that took the money', () => {
    expect(auditRecordSchema.parse(record)).toEqual(record)
    expect(record.vault).toBe(lower(settler))
  })

  test('says by what means each was taken, and what became of it', () => {
    expect(
      record.payments.map((each) => (each.kind === 'pull' ? [each.means, each.index, each.nonce, each.result] : [])),
    ).toEqual([
      ['allowance', '0', '1', true],
      ['allowance', '1', '2', false],
      ['authorization', '2', '3', true],
    ])
    expect(record.payments.map(({ digest }) => digest)).toEqual(pulls.map(digestOf))
    expect(record.payments.map(({ appSequence }) => appSequence)).toEqual(['1', null, '2'])
  })

  test('of a payment without means is no record', () => {
    const [first, ...others] = record.payments
    const { means: _, ...without } = first as Record<string, unknown> & { means: string }
    expect(auditRecordSchema.safeParse({ ...record, payments: [without, ...others] }).success).toBe(false)
  })
})
