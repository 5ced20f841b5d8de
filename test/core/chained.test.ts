import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { linkOf, nextLink, runsOf, sequenceMax, zeroLink } from '../../core/chained.ts'
import { chainedLink } from '../../core/protocol/packed-chained.ts'
import { addressOf, payment } from './payments.ts'

const linkAt = (number: number) => `0x${number.toString(16).padStart(32, '0')}` as const
const head = linkAt(0xbeef)

describe('the next payment of a chained account', () => {
  test('of an account that has settled nothing is the first, after the zero link', () => {
    expect(nextLink({ topNonce: 0n }, undefined)).toEqual({ sequence: 1n, previous: zeroLink })
    expect(zeroLink).toBe(linkAt(0))
  })

  test('continues what the chain has while nothing is open', () => {
    expect(nextLink({ topNonce: 7n, head }, undefined)).toEqual({ sequence: 8n, previous: head })
  })

  test('continues the last open payment', () => {
    const tail = { sequence: 9n, link: linkAt(9), isHeld: false }
    expect(nextLink({ topNonce: 7n, head }, tail)).toEqual({ sequence: 10n, previous: linkAt(9) })
  })

  test('continues the chain where that has settled the tail or gone past it', () => {
    const tailAt = (sequence: bigint) => ({ sequence, link: linkAt(Number(sequence)), isHeld: true })
    for (const sequence of [6n, 7n]) {
      expect(nextLink({ topNonce: 7n, head }, tailAt(sequence))).toEqual({ sequence: 8n, previous: head })
    }
    expect(nextLink({ topNonce: 7n, head }, tailAt(8n))).toEqual({ sequence: 9n, previous: linkAt(8) })
  })

  test('signs the link that the contract computes, whatever the scale', () => {
    expect(linkOf(payment, head, 1n)).toBe(chainedLink(payment, head, 1n))
    const wide = { ...payment, amount: payment.amount * 10n ** 12n }
    expect(linkOf(wide, head, 10n ** 12n)).toBe(linkOf(payment, head, 1n))
    expect(linkOf(payment, linkAt(1), 1n)).not.toBe(linkOf(payment, head, 1n))
  })

  test('has 24 bits for its sequence', () => {
    expect(sequenceMax).toBe(16_777_215n)
  })
})

const at = (payer: number, nonce: bigint) => ({ payer: addressOf(payer), nonce })
const startOf = (payer: number, sequence: bigint) => [addressOf(payer), { sequence, head }] as const

describe('runs', () => {
  test('are what continues the account without a gap, in order, whatever the order of the waiting', () => {
    const waiting = [at(1, 10n), at(1, 8n), at(1, 9n), at(1, 12n)]
    expect(runsOf(waiting, new Map([startOf(1, 7n)]))).toEqual([[at(1, 8n), at(1, 9n), at(1, 10n)]])
  })

  test('are none where the first is missing, spent, or of an account that nobody knows', () => {
    expect(runsOf([at(1, 9n)], new Map([startOf(1, 7n)]))).toEqual([])
    expect(runsOf([at(1, 7n), at(1, 8n)], new Map([startOf(1, 7n)]))).toEqual([])
    expect(runsOf([at(1, 1n)], new Map([startOf(2, 0n)]))).toEqual([])
    expect(runsOf([], new Map())).toEqual([])
  })

  test('of several payers do not wait for each other', () => {
    const waiting = [at(2, 1n), at(1, 5n), at(3, 3n), at(2, 2n)]
    const starts = new Map([startOf(1, 4n), startOf(2, 0n), startOf(3, 1n)])
    expect(runsOf(waiting, starts)).toEqual([[at(2, 1n), at(2, 2n)], [at(1, 5n)]])
  })

  test('hold every payment that has all before it, once and in order, and no other', () => {
    const waiting = fc.uniqueArray(fc.record({ payer: fc.integer({ min: 1, max: 3 }), nonce: fc.bigInt(1n, 9n) }), {
      selector: ({ payer, nonce }) => `${payer}:${nonce}`,
    })
    const sequences = fc.tuple(fc.bigInt(0n, 4n), fc.bigInt(0n, 4n))
    fc.assert(
      fc.property(waiting, sequences, (drawn, [first, second]) => {
        const starts = new Map([startOf(1, first), startOf(2, second)])
        const payments = drawn.map(({ payer, nonce }) => at(payer, nonce))
        const has = (payer: string, nonce: bigint) => payments.some((p) => p.payer === payer && p.nonce === nonce)
        const canSettle = ({ payer, nonce }: { payer: string; nonce: bigint }): boolean => {
          const start = [...starts].find(([known]) => known === payer)?.[1]
          // What is spent below the start would be refused, and takes the run with it: the books never hold one.
          if (start === undefined || payments.some((p) => p.payer === payer && p.nonce <= start.sequence)) return false
          for (let before = start.sequence + 1n; before <= nonce; before++) if (!has(payer, before)) return false
          return true
        }
        const runs = runsOf(payments, starts)
        const expected = payments.filter(canSettle)
        expect(new Set(runs.flat())).toEqual(new Set(expected))
        expect(runs.flat()).toHaveLength(expected.length)
        expect(new Set(runs.map((run) => run[0]?.payer)).size).toBe(runs.length)
        for (const run of runs) {
          expect(
            run.every(
              (each, index) => each.payer === run[0]?.payer && each.nonce === (run[0]?.nonce ?? 0n) + BigInt(index),
            ),
          ).toBe(true)
        }
      }),
    )
  })
})
