import fc from 'fast-check'
import { type Address, type Hex, isAddressEqual } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  type Batch,
  cancelBytes,
  decodeBatch,
  decodeResults,
  encodeBatch,
  headerBytes,
  isRepresentable,
  payeeBytes,
  paymentBytes,
} from '../../core/protocol/packed.ts'
import { settleCalldata, settlePayloadOf } from '../../core/protocol/settle-calldata.ts'

const bytes = (count: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength: count, maxLength: count }).map((array): Hex => `0x${Buffer.from(array).toString('hex')}`)
const address = bytes(20) as fc.Arbitrary<Address>
const payees = fc.array(address, { minLength: 1, maxLength: 4 })

const anyBatch = fc
  .record({
    token: address,
    scale: fc.constantFrom(1n, 10n ** 12n),
    anchor: bytes(32),
    base: fc.bigInt(0n, 2n ** 40n - 1n - 65_535n),
    payees,
    payments: fc.array(
      fc.record({
        payer: address,
        payee: fc.nat(3),
        units: fc.bigInt(1n, 2n ** 48n - 1n),
        nonce: fc.bigInt(0n, 2n ** 32n - 1n),
        delta: fc.bigInt(0n, 65_535n),
        orderRef: bytes(8),
        signature: bytes(64),
      }),
      { maxLength: 12 },
    ),
    cancels: fc.array(
      fc.record({
        payer: address,
        nonce: fc.bigInt(0n, 2n ** 32n - 1n),
        delta: fc.bigInt(0n, 65_535n),
        signature: bytes(64),
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ token, scale, anchor, base, payees, payments, cancels }): Batch => {
    return {
      token,
      scale,
      anchor,
      payments: payments.map(({ payee, units, delta, ...rest }) => ({
        ...rest,
        token,
        payee: payees[payee % payees.length] as Address,
        amount: units * scale,
        deadline: base + delta,
      })),
      cancels: cancels.map(({ delta, ...rest }) => ({ ...rest, token, deadline: base + delta })),
    }
  })

const one = (changes: Partial<Batch['payments'][number]> = {}): Batch['payments'][number] => ({
  payer: `0x${'a1'.repeat(20)}`,
  payee: `0x${'3e'.repeat(20)}`,
  token: `0x${'d0'.repeat(20)}`,
  amount: 5n,
  nonce: 1n,
  deadline: 1_000n,
  orderRef: '0x0000000000000000',
  signature: `0x${'11'.repeat(64)}`,
  ...changes,
})
const batchOf = (...payments: Batch['payments']): Batch => ({
  token: `0x${'d0'.repeat(20)}`,
  scale: 1n,
  anchor: `0x${'cc'.repeat(32)}`,
  payments,
  cancels: [],
})
const sizeOf = (blob: Hex): number => blob.length / 2 - 1

describe('a packed batch', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        const { scale, ...rest } = batch
        expect(decodeBatch(encodeBatch(batch), scale)).toEqual(rest)
      }),
      { numRuns: 300 },
    )
  })

  test('has exactly the stated bytes: 64, 20 per payee, 106 per payment, 90 per cancel', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        const payees = new Set(batch.payments.map(({ payee }) => payee)).size
        expect(sizeOf(encodeBatch(batch))).toBe(
          headerBytes + payees * payeeBytes + batch.payments.length * paymentBytes + batch.cancels.length * cancelBytes,
        )
      }),
    )
    expect([headerBytes, payeeBytes, paymentBytes, cancelBytes]).toEqual([64, 20, 106, 90])
  })

  test('names a payee once, in whatever case it is written', () => {
    const [lower, upper] = [`0x${'ab'.repeat(20)}`, `0x${'AB'.repeat(20)}`] as const
    const blob = encodeBatch(batchOf(one({ payee: lower }), one({ payee: upper })))
    expect(sizeOf(blob)).toBe(headerBytes + payeeBytes + 2 * paymentBytes)
    for (const { payee } of decodeBatch(blob, 1n).payments) expect(isAddressEqual(payee, lower)).toBe(true)
  })

  test('may be empty', () => {
    expect(sizeOf(encodeBatch(batchOf()))).toBe(headerBytes)
  })

  test('travels inside the calldata of settle', () => {
    const blob = encodeBatch(batchOf(one()))
    expect(settlePayloadOf(settleCalldata(blob))).toBe(blob)
    expect(settlePayloadOf('0x12345678')).toBeUndefined()
  })
})

describe('encoding refuses what does not fit', () => {
  test('deadlines 65,535 s apart fit, 65,536 do not', () => {
    expect(() => encodeBatch(batchOf(one(), one({ deadline: 66_535n })))).not.toThrow()
    expect(() => encodeBatch(batchOf(one(), one({ deadline: 66_536n })))).toThrow(RangeError)
  })

  test('a nonce of 2^32 − 1 fits, 2^32 does not', () => {
    expect(() => encodeBatch(batchOf(one({ nonce: 2n ** 32n - 1n })))).not.toThrow()
    expect(() => encodeBatch(batchOf(one({ nonce: 2n ** 32n })))).toThrow(RangeError)
  })

  test.each([
    ['an amount of zero', { amount: 0n }],
    ['an amount of 2^48', { amount: 2n ** 48n }],
    ['a signature of 65 bytes', { signature: `0x${'11'.repeat(65)}` }],
    ['an order reference of 7 bytes', { orderRef: '0x00000000000000' }],
  ] as const)('%s', (_, changes) => {
    expect(() => encodeBatch(batchOf(one(changes)))).toThrow(RangeError)
  })

  test('an amount that is no multiple of the scale', () => {
    expect(() => encodeBatch({ ...batchOf(one({ amount: 15n })), scale: 10n })).toThrow(RangeError)
  })
})

describe('decoding refuses', () => {
  const blob = encodeBatch(batchOf(one(), one({ nonce: 2n })))

  test('every blob that was cut short, at whatever byte', () => {
    for (let length = 0; length < sizeOf(blob); length++) {
      expect(() => decodeBatch(blob.slice(0, 2 + length * 2) as Hex, 1n), `${length} bytes`).toThrow(RangeError)
    }
  })

  test('a byte after the last record', () => {
    expect(() => decodeBatch(`${blob}00`, 1n)).toThrow(RangeError)
    expect(() => decodeBatch(`${blob}0`, 1n)).toThrow(RangeError)
  })

  test('another version', () => {
    expect(() => decodeBatch(`0x02${blob.slice(4)}`, 1n)).toThrow('packed version 2, this is 1')
  })

  test('a payee index out of range', () => {
    const at = 2 + 2 * (headerBytes + payeeBytes + 64 + 6 + 4 + 2)
    expect(blob.slice(at, at + 4)).toBe('0000')
    expect(() => decodeBatch(`${blob.slice(0, at)}0001${blob.slice(at + 4)}` as Hex, 1n)).toThrow('payee index 1 of 1')
  })
})

describe('results', () => {
  test('bit i is byte i / 8, lowest bit first', () => {
    expect(decodeResults('0x0101', 9)).toEqual([true, false, false, false, false, false, false, false, true])
  })

  test('a bitmap of a byte too few is refused', () => {
    expect(() => decodeResults('0xff', 9)).toThrow(RangeError)
    expect(decodeResults('0xff', 8)).toHaveLength(8)
    expect(decodeResults('0x', 0)).toEqual([])
  })
})

test('representable is what a record carries exactly', () => {
  expect([0n, 1n, 2n ** 48n - 1n, 2n ** 48n].map((amount) => isRepresentable(amount, 1n))).toEqual([
    false,
    true,
    true,
    false,
  ])
  expect([9n, 10n, 11n].map((amount) => isRepresentable(amount, 10n))).toEqual([false, true, false])
})
