import fc from 'fast-check'
import { type Hex, hashTypedData, numberToHex, recoverAddress, toHex } from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { createSignatures } from '../../adapters/crypto/signatures.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, domainSeparator, type Payment, paymentDigest, types } from '../../core/protocol/typed-data.ts'

const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value): Hex => toHex(value))
const uint = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
const payments: fc.Arbitrary<Payment> = fc.record({
  payer: bytes(20),
  payee: bytes(20),
  token: bytes(20),
  amount: uint,
  nonce: uint,
  deadline: uint,
  orderRef: bytes(8),
})

const engines = [await createSignatures(), await createSignatures({ isNative: false })] as const
const all = engines.map((signatures) => [signatures.engine, signatures] as const)

test('the compiled curve is the default here', () => {
  expect(all.map(([engine]) => engine)).toEqual(['native', 'javascript'])
})

describe.each(all)('%s', (_, signatures) => {
  test('the digest of any payment is the one that viem makes of its typed data', () => {
    fc.assert(
      fc.property(payments, bytes(20), fc.integer({ min: 1 }), (message, vault, chainId) => {
        const domain = domainOf({ chainId, vault })
        const expected = hashTypedData({ domain, types, primaryType: 'Payment', message })
        expect(signatures.paymentDigest(domainSeparator(domain), message)).toBe(expected)
        expect(paymentDigest(domainSeparator(domain), message)).toBe(expected)
      }),
      { numRuns: 200 },
    )
  })

  test('recovers the signer of any digest, as viem does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 1n, max: curveOrder - 1n }), bytes(32), async (key, digest) => {
        const privateKey = numberToHex(key, { size: 32 })
        const parsed = parseSignature(await sign({ hash: digest, privateKey, to: 'hex' }))
        if (parsed.outcome !== 'ok') throw new Error(parsed.reason)
        expect(signatures.recover(digest, parsed.full)).toBe(privateKeyToAccount(privateKey).address.toLowerCase())
      }),
      { numRuns: 50 },
    )
  })

  test('any canonical r, s and parity gives the address that viem gives, or none where viem has none', async () => {
    await fc.assert(
      fc.asyncProperty(uint, uint, fc.integer({ min: 0, max: 1 }), bytes(32), async (r, s, parity, digest) => {
        const word = (value: bigint) => numberToHex(value, { size: 32 }).slice(2)
        const parsed = parseSignature(`0x${word(r)}${word(s >> 2n)}${numberToHex(27 + parity).slice(2)}`)
        fc.pre(parsed.outcome === 'ok')
        if (parsed.outcome !== 'ok') return
        const theirs = await recoverAddress({ hash: digest, signature: parsed.full }).catch(() => undefined)
        expect(signatures.recover(digest, parsed.full)).toBe(theirs?.toLowerCase())
      }),
      { numRuns: 60 },
    )
  })

  test.each([
    ['the order of the curve', curveOrder],
    ['above it', 2n ** 256n - 1n],
    ['5, where the curve has no point', 5n],
  ])('an r of %s was made by no key', (_name, r) => {
    const signature = `${numberToHex(r, { size: 32 })}${'01'.padStart(64, '0')}1b` as Hex
    expect(signatures.recover(`0x${'1c'.repeat(32)}`, signature)).toBeUndefined()
  })

  test('a number above 2²⁵⁶ − 1 is a broken promise, not a digest', () => {
    const zero = `0x${'00'.repeat(20)}` as const
    const payment = { payer: zero, payee: zero, token: zero, amount: 2n ** 256n, nonce: 0n, deadline: 0n }
    expect(() =>
      signatures.paymentDigest(`0x${'00'.repeat(32)}`, { ...payment, orderRef: '0x0000000000000000' }),
    ).toThrow(RangeError)
  })
})
