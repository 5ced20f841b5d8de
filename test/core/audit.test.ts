import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { concat, keccak256, sha256, stringToHex, toHex } from 'viem'
import { describe, expect, test } from 'vitest'
import { type AuditFacts, auditRecordOf } from '../../core/audit.ts'
import {
  anchorOf,
  appTagOf,
  auditBytes,
  auditHash,
  auditLeaf,
  auditRecordSchema,
  auditTree,
} from '../../core/protocol/audit-record.ts'
import { merkleFold, merkleProof, merkleRoot } from '../../core/protocol/merkle.ts'
import { encodeBatch } from '../../core/protocol/packed.ts'
import { cancelDigest, domainOf, domainSeparator, paymentDigest, zeroHash } from '../../core/protocol/typed-data.ts'
import { addressOf, dollar, now, payment, vault } from './payments.ts'

const separator = domainSeparator(domainOf({ chainId: 31_337, vault }))
const word = (byte: string) => `0x${byte.repeat(32)}` as const
const payments = [0n, 1n, 2n, 3n].map((nonce) => ({
  ...payment,
  nonce,
  amount: 1_000n + nonce,
  orderRef: `0x${'0b'.repeat(8)}` as const,
  signature: `0x${`1${nonce}`.repeat(64)}` as const,
}))
const [first, second, third, fourth] = payments.map((each) => paymentDigest(separator, each))
const cancel = {
  payer: payment.payer,
  token: dollar,
  nonce: 9n,
  deadline: payment.deadline + 1n,
  signature: `0x${'33'.repeat(64)}`,
} as const
const salt = `0x${'5a'.repeat(16)}` as const
const tag = (appId: string) => appTagOf({ salt, appId })
const booked = (appId: string) => ({
  appId,
  orderHash: word('aa'),
  deadline: payment.deadline,
  signature: `0x${'11'.repeat(64)}` as const,
})

/** Four payments, of which the third is refused, and a cancel that took effect. */
const facts: AuditFacts = {
  chainId: 31_337,
  vault,
  relayerId: 1,
  sequence: 5n,
  previous: word('07'),
  tx: {
    hash: word('0c'),
    blockNumber: 2n ** 63n,
    blockHash: word('0d'),
    blockTime: BigInt(now),
    status: 1n,
    gasUsed: 812_345n,
    effectiveGasPriceWei: 2n ** 255n,
    logs: [{ logIndex: 3, topics: [word('01')], data: '0x' }],
  },
  settled: {
    kind: 'batch',
    batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1hd',
    opening: { sequence: 4n, head: word('04') },
    scale: 1n,
    payload: encodeBatch({ token: dollar, scale: 1n, anchor: word('0a'), payments, cancels: [cancel] }),
    results: '0x1b',
    starts: new Map(),
  },
  payments: new Map(
    [first, second, third, fourth].map((digest, index) => [
      digest ?? zeroHash,
      booked(index === 1 ? 'app-b' : 'app-a'),
    ]),
  ),
  cancels: new Map([[0, { appId: 'app-b' }]]),
  apps: new Map([
    ['app-a', { tag: tag('app-a'), first: 41n, count: 2 }],
    ['app-b', { tag: tag('app-b'), first: 7n, count: 1 }],
  ]),
}

describe('an audit record', () => {
  const record = auditRecordOf(facts)

  test('fits its published schema and keeps every digit of the largest integers', () => {
    expect(auditRecordSchema.parse(record)).toEqual(record)
    expect(record.tx).toMatchObject({ effectiveGasPriceWei: `${2n ** 255n}`, blockNumber: `${2n ** 63n}` })
  })

  test('numbers the settled payments of each app in the order of the batch, and no other', () => {
    expect(record.payments.map(({ app, result, appSequence }) => [app, result, appSequence])).toEqual([
      [tag('app-a'), true, '41'],
      [tag('app-b'), true, '7'],
      [tag('app-a'), false, null],
      [tag('app-a'), true, '42'],
    ])
  })

  test('tells of a cancel whose app submitted what it ended, at the position of its result bit', () => {
    expect(record.cancels).toMatchObject([
      {
        index: '4',
        result: true,
        digest: cancelDigest(separator, cancel),
        app: tag('app-b'),
      },
    ])
  })

  test('is not made when books and chain count an app’s payments differently', () => {
    const apps = new Map(facts.apps).set('app-a', { tag: tag('app-a'), first: 41n, count: 3 })
    expect(() => auditRecordOf({ ...facts, apps })).toThrow('settles 2 payments of app-a on chain and 3 in the books')
  })

  test('names no app for a payment that is not in the books', () => {
    const [, ...others] = facts.payments
    const apps = new Map(facts.apps).set('app-a', { tag: tag('app-a'), first: 41n, count: 1 })
    const [unknown] = auditRecordOf({ ...facts, payments: new Map(others), apps }).payments
    expect(unknown).toMatchObject({ digest: first, app: null, appSequence: null, orderHash: null, result: true })
    expect(unknown?.signature).toBe(payments[0]?.signature)
  })

  test('of payments settled one by one has no batch, and knows deadline and signature of its own only', () => {
    const overdue = { ...payment, payee: addressOf(0x77), digest: word('e1') }
    const stranger = { ...overdue, digest: word('e2') }
    const { batch, payments: entries } = auditRecordOf({
      ...facts,
      settled: { kind: 'overdue', payments: [overdue, stranger] },
      payments: new Map([[word('e1'), booked('app-a')]]),
      cancels: new Map(),
      apps: new Map([['app-a', { tag: tag('app-a'), first: 1n, count: 1 }]]),
    })
    expect(batch).toBeNull()
    expect(entries).toMatchObject([
      { digest: word('e1'), deadline: `${payment.deadline}`, signature: `0x${'11'.repeat(64)}`, appSequence: '1' },
      { digest: word('e2'), deadline: null, signature: null, appSequence: null, app: null },
    ])
  })
})

describe('its bytes', () => {
  test('are RFC 8785: sorted names, no space, and the same for the same record in any order of fields', () => {
    const record = auditRecordOf(facts)
    const text = Buffer.from(auditBytes(record)).toString()
    expect(text.startsWith('{"batch":{"anchor":"0x0a0a')).toBe(true)
    expect(text).not.toMatch(/\s/)
    expect(text).toMatch(/^[\x20-\x7e]+$/)
    const shuffled = Object.fromEntries(Object.entries(record).toReversed()) as typeof record
    expect(Buffer.from(auditBytes(shuffled)).toString()).toBe(text)
    expect(auditHash(auditBytes(record))).toBe(toHex(sha256(Buffer.from(text), 'bytes')))
  })

  test('hold no app id, reference or URL', () => {
    const text = Buffer.from(auditBytes(auditRecordOf(facts))).toString()
    expect(text).not.toMatch(/app-a|app-b|INV-|invoice|https?:|pi_|po_/)
  })
})

describe('its leaves', () => {
  const record = auditRecordOf(facts)
  const entries = [...record.payments, ...record.cancels]

  test('are one per result bit, and each leads to the root', () => {
    const { leaves, root } = record.merkle
    expect(leaves).toEqual(entries.map(auditLeaf))
    expect(root).toBe(merkleRoot(leaves as `0x${string}`[]))
    entries.forEach((entry, index) => {
      expect(merkleFold(auditLeaf(entry), merkleProof(leaves as `0x${string}`[], index))).toBe(root)
    })
  })

  test('change with every field of their entry', () => {
    const [entry] = record.payments
    if (entry === undefined) throw new Error('no entry')
    const leaf = auditLeaf(entry)
    for (const [name, value] of Object.entries(entry)) {
      const changed = typeof value === 'boolean' ? !value : value === null ? '1' : `${value}0`
      expect(auditLeaf({ ...entry, [name]: changed }), name).not.toBe(leaf)
    }
  })

  test('cannot be taken for inner nodes: they hash more than 64 bytes, under a prefix', () => {
    const text = Buffer.from(auditBytes(entries[0] as never)).toString()
    expect(auditLeaf(entries[0] as never)).toBe(
      keccak256(concat([stringToHex('ice.audit-entry/1\n'), stringToHex(text)])),
    )
  })

  test('are never none', () => {
    expect(() => auditTree([])).toThrow(RangeError)
  })
})

test('an anchor commits to the head and is unique per batch', () => {
  const head = word('04')
  const anchors = [
    anchorOf({ head, batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1hd' }),
    anchorOf({ head, batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1he' }),
    anchorOf({ head: word('05'), batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1hd' }),
  ]
  expect(new Set(anchors).size).toBe(3)
  expect(anchors[0]).toBe(keccak256(concat([head, stringToHex('sb_01k9v3m2c7f60a4nx8p5j3k1hd')])))
})

describe('the published vector', () => {
  const { apps, records } = JSON.parse(readFileSync(new URL('../vectors/audit-record.json', import.meta.url), 'utf8'))

  test('is what anybody computes from its records with JSON, SHA-256 and keccak256', () => {
    let head: string = zeroHash
    for (const { record, canonical, sha256: published, batchId } of records) {
      // Written without our encoder: for such values, RFC 8785 is JSON with sorted names.
      expect(JSON.stringify(sorted(record))).toBe(canonical)
      expect(createHash('sha256').update(canonical).digest('hex')).toBe(published.slice(2))
      expect(record).toMatchObject({ previous: head, batch: { opening: { head } } })
      expect(keccak256(concat([head as `0x${string}`, stringToHex(batchId)]))).toBe(record.batch.anchor)
      const leaves = [...record.payments, ...record.cancels].map((entry) =>
        keccak256(stringToHex(`ice.audit-entry/1\n${JSON.stringify(sorted(entry))}`)),
      )
      expect(leaves).toEqual(record.merkle.leaves)
      head = published
    }
  })

  test('names its apps by keccak256 of salt and AppID', () => {
    for (const { appId, salt, tag: published } of apps) {
      expect(keccak256(concat([salt, stringToHex(appId)]))).toBe(published)
    }
  })

  function sorted(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(sorted)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, inner]) => [name, sorted(inner)]),
    )
  }
})
