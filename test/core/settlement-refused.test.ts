import type { Hex } from 'viem'
import { expect, test } from 'vitest'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { decodeSettlement } from '../../core/protocol/settlement.ts'

const [payer, payee, token] = [1, 2, 3].map((digit): Hex => `0x${`${digit}`.repeat(40)}`) as [Hex, Hex, Hex]
const head: Hex = `0x${'00'.repeat(16)}`

test('a refused run is read whatever it holds: the contract takes batches with an amount of zero', () => {
  const link = { payee, amount: 7n, deadline: 1_000n, orderRef: `0x${'00'.repeat(8)}` } as const
  const run = { payer, links: [link, link], signature: `0x${'01'.repeat(64)}` } as const
  const payload = encodeChainedBatch({ token, scale: 1n, anchor: `0x${'00'.repeat(32)}`, runs: [run] })
  const zeros: Hex = `0x${payload.slice(2).replaceAll('000000000007', '000000000000')}`
  const known = { startOf: () => ({ sequence: 0n, head }), isSettled: () => false }
  const payments = decodeSettlement(zeros, 1n).payments(known)
  expect(payments.map(({ payment, isPlaced }) => [payment.amount, isPlaced])).toEqual([
    [0n, false],
    [0n, false],
  ])
})
