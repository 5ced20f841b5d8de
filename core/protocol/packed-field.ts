import type { Address, Hex } from 'viem'

/** `bytes` big-endian bytes of a number, as hex without 0x. @throws RangeError if it does not fit */
export function word(value: bigint | number, bytes: number): string {
  const hex = BigInt(value).toString(16)
  if (BigInt(value) < 0n || hex.length > bytes * 2) throw new RangeError(`${value} does not fit ${bytes} bytes`)
  return hex.padStart(bytes * 2, '0')
}

/** The bytes of a value of that length, as hex without 0x. @throws RangeError if it has another */
export function hexOf(value: Hex, bytes: number): string {
  if (value.length !== 2 + bytes * 2) throw new RangeError(`${value.length / 2 - 1} bytes where ${bytes} belong`)
  return value.slice(2).toLowerCase()
}

/** Reads a packed blob from its first byte to its last. Every step throws RangeError where the blob ends too early. */
export function packedReader(blob: Hex) {
  const hex = blob.slice(2).toLowerCase()
  let at = 0
  const bytes = (count: number): Hex => {
    const part = hex.slice(at, at + count * 2)
    if (part.length !== count * 2) throw new RangeError(`blob ends at byte ${hex.length / 2}, wanted ${at / 2 + count}`)
    at += count * 2
    return `0x${part}`
  }
  return {
    bytes,
    number: (count: number): bigint => BigInt(bytes(count)),
    address: (): Address => bytes(20),
    /** @throws RangeError if there is more */
    end: (): void => {
      if (at !== hex.length) throw new RangeError(`${(hex.length - at) / 2} bytes after the last record`)
    },
  }
}

/** The payee at `index` of a batch's table. @throws RangeError beyond it */
export function payeeAt(payees: readonly Address[], index: number): Address {
  const payee = payees[index]
  if (payee === undefined) throw new RangeError(`payee index ${index} of ${payees.length}`)
  return payee
}

/** The payees of a batch, each once, and where each one stands. */
export function payeeTable(payments: readonly { readonly payee: Address }[]) {
  const payees = [...new Set(payments.map(({ payee }) => payee.toLowerCase() as Address))]
  const indexes = new Map(payees.map((payee, index) => [payee, index]))
  return { payees, indexOf: (payee: Address): number => indexes.get(payee.toLowerCase() as Address) ?? -1 }
}

/** The earliest of the deadlines: records carry their distance from it. */
export function baseDeadlineOf(records: readonly { readonly deadline: bigint }[]): bigint {
  return records.reduce((low, { deadline }) => (deadline < low ? deadline : low), records[0]?.deadline ?? 0n)
}
