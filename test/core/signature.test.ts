import fc from 'fast-check'
import {
  compactSignatureToSignature,
  concat,
  type Hex,
  numberToHex,
  parseCompactSignature,
  recoverAddress,
  serializeSignature,
} from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { parseSignature } from '../../core/protocol/signature.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const half = order / 2n
const r: Hex = `0x${'12'.repeat(32)}`
const word = (value: bigint): Hex => numberToHex(value, { size: 32 })
const full = (s: bigint, v: number): Hex => concat([r, word(s), numberToHex(v, { size: 1 })])
const compact = (s: bigint, parity: bigint): Hex => concat([r, word(s | (parity << 255n))])

describe('forms', () => {
  test('65 bytes with v 0, 1, 27 or 28 and their 64-byte twin parse to the same', () => {
    for (const parity of [0, 1]) {
      const expected = { outcome: 'ok', compact: compact(5n, BigInt(parity)), full: full(5n, 27 + parity) }
      expect(parseSignature(full(5n, parity))).toEqual(expected)
      expect(parseSignature(full(5n, 27 + parity))).toEqual(expected)
      expect(parseSignature(compact(5n, BigInt(parity)))).toEqual(expected)
    }
  })

  test.each([2, 26, 29, 35, 255])('v %i is refused', (v) => {
    expect(parseSignature(full(5n, v))).toMatchObject({ outcome: 'malformed' })
  })

  test.each([0, 1, 63, 66, 96])('%i bytes are refused', (length) => {
    expect(parseSignature(`0x${'11'.repeat(length)}`)).toMatchObject({ outcome: 'malformed' })
  })

  test('what wallets make is parsed back to the signer, in both forms', async () => {
    const privateKey: Hex = `0x${'42'.repeat(32)}`
    const { address } = privateKeyToAccount(privateKey)
    for (let round = 0; round < 16; round++) {
      const hash = word(BigInt(round))
      const signature = await sign({ hash, privateKey, to: 'hex' })
      const parsed = parseSignature(signature)
      if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
      expect(parsed.full).toBe(signature)
      const expanded = serializeSignature(compactSignatureToSignature(parseCompactSignature(parsed.compact)))
      expect(await recoverAddress({ hash, signature: expanded })).toBe(address)
    }
  })
})

describe('one payment, one signature', () => {
  test('s at half the order passes, one more is refused, in both forms', () => {
    expect(parseSignature(full(half, 27)).outcome).toBe('ok')
    expect(parseSignature(full(half + 1n, 27)).outcome).toBe('malformed')
    expect(parseSignature(compact(half, 1n)).outcome).toBe('ok')
    expect(parseSignature(compact(half + 1n, 1n)).outcome).toBe('malformed')
  })

  test('the high-s twin of every good signature is refused', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, half), fc.constantFrom(27, 28), (s, v) => {
        expect(parseSignature(full(s, v)).outcome).toBe('ok')
        expect(parseSignature(full(order - s, 55 - v)).outcome).toBe('malformed')
      }),
    )
  })

  test('r or s of zero is refused', () => {
    expect(parseSignature(full(0n, 27)).outcome).toBe('malformed')
    expect(parseSignature(compact(0n, 1n)).outcome).toBe('malformed')
    expect(parseSignature(concat([word(0n), word(5n), '0x1b'])).outcome).toBe('malformed')
  })

  test('parsing what was parsed changes nothing', () => {
    fc.assert(
      fc.property(fc.bigInt(1n, half), fc.constantFrom(0, 1, 27, 28), (s, v) => {
        const parsed = parseSignature(full(s, v))
        if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
        expect(parseSignature(parsed.compact)).toEqual(parsed)
        expect(parseSignature(parsed.full)).toEqual(parsed)
      }),
    )
  })
})
