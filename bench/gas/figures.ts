import { type Hex, hexToBytes } from 'viem'
import { fastLzLength } from './fast-lz.ts'

/** What one scenario cost in steady state. */
export type Figure = {
  /** The same name stands for the same work; what varies is in the counts. */
  readonly scenario: string
  readonly payments: number
  readonly payers: number
  readonly payees: number
  /** Receipt `gasUsed` of all transactions, through `payments`, to a hundredth. For a cost of the vault: of one call. */
  readonly gasPerPayment: number
  readonly transactions: number
  /** Calldata only: what a chain with a data fee sees on top of about 110 bytes of envelope per transaction. */
  readonly bytesPerPayment: number
  /** The same through FastLZ, each transaction's calldata compressed alone. */
  readonly fastLzBytesPerPayment: number
}

export type Load = Pick<Figure, 'scenario' | 'payments' | 'payers' | 'payees'>
export type Spent = { readonly gasUsed: bigint; readonly calldata: Hex }

/** @throws RangeError without a transaction: nothing was measured then. */
export function figureOf(load: Load, spent: readonly Spent[]): Figure {
  if (spent.length === 0) throw new RangeError(`${load.scenario} sent nothing`)
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const perPayment = (total: number): number => Math.round((total / load.payments) * 100) / 100
  const calldata = spent.map((tx) => hexToBytes(tx.calldata))
  return {
    ...load,
    gasPerPayment: perPayment(sum(spent.map((tx) => Number(tx.gasUsed)))),
    transactions: spent.length,
    bytesPerPayment: perPayment(sum(calldata.map((bytes) => bytes.length))),
    fastLzBytesPerPayment: perPayment(sum(calldata.map(fastLzLength))),
  }
}

/** What a figure is compared by between runs. */
export function nameOf({ scenario, payments, payers, payees }: Load): string {
  return `${scenario}: ${payments} by ${payers} to ${payees}`
}

/** Aligned columns, names to the left and numbers to the right. */
export function table(figures: readonly Figure[]): string {
  const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
  const head = ['scenario', 'payments', 'payers', 'payees', 'txs', 'gas/payment', 'bytes', 'FastLZ']
  const rows = figures.map((figure) => [
    figure.scenario,
    whole(figure.payments),
    whole(figure.payers),
    whole(figure.payees),
    whole(figure.transactions),
    whole(figure.gasPerPayment),
    whole(figure.bytesPerPayment),
    whole(figure.fastLzBytesPerPayment),
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ')
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
