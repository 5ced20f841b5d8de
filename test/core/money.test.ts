import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { amountMax, formatAtomic, parseAtomic } from '../../core/money.ts'

const amount = fc.bigInt(0n, amountMax)

describe('reading', () => {
  test('what is written comes back, for every uint256', () => {
    fc.assert(
      fc.property(amount, (value) => {
        expect(parseAtomic(`${value}`)).toBe(value)
      }),
    )
  })

  test('2^256 − 1 is read, 2^256 is not', () => {
    expect(parseAtomic(`${2n ** 256n - 1n}`)).toBe(amountMax)
    expect(parseAtomic(`${2n ** 256n}`)).toBeUndefined()
    expect(parseAtomic('9'.repeat(78))).toBeUndefined()
    expect(parseAtomic('1'.repeat(79))).toBeUndefined()
  })

  test.each([
    ...['', ' ', '1 ', ' 1', '1\n', '1_000', '1,000', '1.0', '1.', '.5', '1e3', '1E3', '+1', '-1', '-0', '00', '01'],
    ...['0x10', '0b1', '1n', 'NaN', 'Infinity', '١', '１', '1٬000', 'null'],
  ])('%j is no amount', (text) => {
    expect(parseAtomic(text)).toBeUndefined()
  })

  test('zero is an amount', () => {
    expect(parseAtomic('0')).toBe(0n)
  })

  test('accepts only the one way of writing a number', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const value = parseAtomic(text)
        if (value !== undefined) expect(`${value}`).toBe(text)
      }),
    )
  })
})

describe('showing to people', () => {
  test('loses no digit', () => {
    fc.assert(
      fc.property(amount, fc.integer({ min: 0, max: 36 }), (value, decimals) => {
        const [whole = '', fraction = ''] = formatAtomic(value, decimals).replaceAll(',', '').split('.')
        expect(BigInt(whole + fraction.padEnd(decimals, '0'))).toBe(value)
      }),
    )
  })

  test.each([
    [1_234_500_000n, 6, '1,234.50'],
    [0n, 6, '0.00'],
    [1n, 6, '0.000001'],
    [999n, 0, '999'],
    [1_000n, 0, '1,000'],
    [5n, 1, '0.5'],
    [-1_500_000n, 6, '-1.50'],
    [10n ** 18n, 18, '1.00'],
  ] as const)('%s with %i decimals is %s', (value, decimals, text) => {
    expect(formatAtomic(value, decimals)).toBe(text)
  })
})
