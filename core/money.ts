declare const unit: unique symbol

/** Atomic token units (USDC: 1 = 10⁻⁶ USDC). Never a float, never a display string. */
export type Atomic = bigint & { readonly [unit]: 'atomic' }

/** uint256: what a wallet can sign. */
export const amountMax = 2n ** 256n - 1n

const decimal = /^(0|[1-9][0-9]{0,77})$/

/** Reads a decimal string of atomic units. No exponent, sign, space, comma, point or leading zero; undefined if it has one. */
export function parseAtomic(text: string): Atomic | undefined {
  if (!decimal.test(text)) return undefined
  const value = BigInt(text)
  return value <= amountMax ? (value as Atomic) : undefined
}

/** For people only: `1234500000, 6` → `1,234.50`. Keeps every digit; at least two decimals where the token has them. */
export function formatAtomic(value: bigint, decimals: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',')
  const fraction = digits
    .slice(digits.length - decimals)
    .replace(/0+$/, '')
    .padEnd(Math.min(2, decimals), '0')
  return `${value < 0n ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`
}
