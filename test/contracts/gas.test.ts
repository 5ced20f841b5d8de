import { concat, type Hex, hexToBytes } from 'viem'
import { beforeAll, describe, expect, test } from 'vitest'
import { measureBaselines } from '../../bench/gas/baselines.ts'
import { scatter } from '../../bench/gas/chain.ts'
import { fastLzLength } from '../../bench/gas/fast-lz.ts'
import type { Figure } from '../../bench/gas/figures.ts'
import { measureOurs } from '../../bench/gas/ours.ts'
import { changesBetween, readSnapshot, tell } from '../../bench/gas/snapshot.ts'
import { openStage } from '../../bench/gas/stage.ts'

describe('gas per payment', () => {
  let ours: readonly Figure[]
  let oursAgain: readonly Figure[]
  let baselines: readonly Figure[]
  beforeAll(async () => {
    const [stage, other] = await Promise.all([openStage(), openStage()])
    ;[ours, oursAgain] = await Promise.all([measureOurs(stage), measureOurs(other)])
    baselines = await measureBaselines(stage)
    await Promise.all([stage.chain.close(), other.chain.close()])
    // Thousands of transactions, twice: about a minute on a free machine.
  }, 600_000)

  test('is the same to the unit in two runs', () => {
    expect(oursAgain).toEqual(ours)
  })

  test('has grown nowhere by more than 0.5 %, and every figure of ours is in the snapshot', async () => {
    const changes = changesBetween(await readSnapshot(), ours)
    const faults = changes.filter(({ kind }) => kind !== 'fallen').map(tell)
    expect(faults, faults.join('\n')).toEqual([])
  })

  test('is lower in a batch of 300 than that of every baseline', () => {
    const vault = ours.find(({ scenario, payers, payees }) => scenario === 'vault' && payers === 300 && payees === 1)
    expect(baselines.map(({ scenario, payments, payers, payees }) => [scenario, payments, payers, payees])).toEqual(
      ['erc20-transfer', 'eip3009-single', 'eip3009-batched', 'naive-batch'].map((name) => [name, 300, 300, 1]),
    )
    for (const { gasPerPayment } of baselines) expect(gasPerPayment).toBeGreaterThan(vault?.gasPerPayment ?? Infinity)
  })
})

describe('the snapshot', () => {
  const figure: Figure = {
    scenario: 'vault',
    payments: 300,
    payers: 300,
    payees: 1,
    gasPerPayment: 10_050,
    transactions: 1,
    bytesPerPayment: 107,
    fastLzBytesPerPayment: 108,
  }
  const name = 'vault: 300 by 300 to 1'

  test('lets a figure grow by exactly 0.5 %, and refuses a hundredth of a gas more', () => {
    expect(changesBetween({ [name]: 10_000 }, [figure])).toEqual([])
    const [change] = changesBetween({ [name]: 10_000 }, [{ ...figure, gasPerPayment: 10_050.01 }])
    expect(change).toEqual({ kind: 'grown', name, accepted: 10_000, measured: 10_050.01 })
  })

  test('tells both numbers and how to accept them', () => {
    const told = tell({ kind: 'grown', name, accepted: 10_000, measured: 10_100 })
    expect(told).toBe(
      `${name} grew from 10000 to 10100 gas (+1.00 %, allowed 0.5 %). If it is worth that: node bench/gas/main.ts --accept`,
    )
  })

  test('says so when a figure fell, is new or is gone', () => {
    expect(changesBetween({ [name]: 10_200 }, [figure]).map(({ kind }) => kind)).toEqual(['fallen'])
    expect(changesBetween({ other: 1 }, [figure]).map(({ kind }) => kind)).toEqual(['new', 'gone'])
  })
})

function hashes(count: number): readonly Hex[] {
  return Array.from({ length: count }, (_, i) => scatter(`${i}`))
}

/** Lengths of `LibZip.flzCompress` of solady 0.1.26 for the same bytes. */
describe('the length through FastLZ', () => {
  const cases: readonly (readonly [what: string, input: Uint8Array, length: number])[] = [
    ['nothing', new Uint8Array(0), 0],
    ['one byte', new Uint8Array(1).fill(7), 2],
    ['one hash', hexToBytes(scatter('0')), 33],
    ['1,000 zeros', new Uint8Array(1_000), 21],
    ['320 hashes', hexToBytes(concat(hashes(320))), 10_560],
    ['one hash between 50 others', hexToBytes(concat(hashes(50).flatMap((hash) => [scatter('one'), hash]))), 1_831],
  ]
  test.each(cases)('of %s is that of solady', (_, input, length) => {
    expect(fastLzLength(input)).toBe(length)
  })
})
