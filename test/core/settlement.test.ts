import fc from 'fast-check'
import { encodeFunctionData, getAddress, type Hex, hashTypedData, toFunctionSelector } from 'viem'
import { describe, expect, test } from 'vitest'
import { linkOf } from '../../core/chained.ts'
import { encodeBatch } from '../../core/protocol/packed.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { modeOfPayload, settleCalldata, settlePayloadOf } from '../../core/protocol/settle-calldata.ts'
import { decodeSettlement } from '../../core/protocol/settlement.ts'
import { domainOf, domainSeparator, types } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { isSettledPayment, settledBatch } from '../../core/settled-batch.ts'
import { addressOf, dollar, payee, payer, payment, vault } from './payments.ts'
import { chainedScene, independentScene, pullScene, type Scene } from './settlements.ts'

const domain = domainOf({ chainId: 31_337, vault })
const separator = domainSeparator(domain)

/** By viem and not by us: what the payer's wallet has hashed. */
function signedDigest({ signed, taking }: Scene['payments'][number]): Hex {
  if (taking.mode !== 'chained') {
    return hashTypedData({
      domain,
      types,
      primaryType: taking.mode === 'pull' ? 'PullPayment' : 'Payment',
      message: signed,
    })
  }
  const { nonce: sequence, ...terms } = signed
  const message = { ...terms, sequence, previous: taking.previous }
  return hashTypedData({ domain, types, primaryType: 'ChainedPayment', message })
}

describe.each([
  ['independent', independentScene, 'settle'],
  ['chained', chainedScene, 'settleChained'],
  ['pull', pullScene, 'settlePull'],
] as const)('a batch of mode %s', (mode, scenes, functionName) => {
  test('is read back as it was signed, payment by payment, with what became of each', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        const { mode: read, token, anchor, payments, cancels } = settledBatch(scene, separator)
        expect({ token: getAddress(token), anchor, mode: read }).toEqual({
          ...{ token: scene.token, anchor: scene.anchor, mode },
        })
        expect(payments).toHaveLength(scene.payments.length)
        for (const [at, expected] of scene.payments.entries()) {
          const { signed, taking, signature, bit, isSettled } = expected
          expect(payments[at]).toMatchObject({ signature, bit, isSettled, taking: { mode } })
          const isRefusedRun = mode === 'chained' && !isSettled
          expect(payments[at]?.digest).toBe(isRefusedRun ? undefined : signedDigest(expected))
          if (!isRefusedRun) expect(payments[at]).toMatchObject({ payment: signed, taking })
        }
        expect(cancels.map(({ nonce, isSettled }) => ({ nonce, isSettled }))).toEqual(
          scene.cancels.map(({ nonce, isSettled }) => ({ nonce, isSettled })),
        )
        expect(payments.filter(isSettledPayment)).toHaveLength(scene.payments.filter((each) => each.isSettled).length)
      }),
    )
  })

  test(`is the argument of ${functionName}(bytes), and found in its calldata`, () => {
    fc.assert(
      fc.property(scenes, ({ payload }) => {
        const calldata = settleCalldata(payload)
        expect(calldata.slice(0, 10)).toBe(toFunctionSelector(`${functionName}(bytes)`))
        expect(settlePayloadOf(calldata)).toBe(payload)
      }),
    )
  })

  test('whose results tell less than its records is refused', () => {
    fc.assert(
      fc.property(scenes, (scene) => {
        fc.pre(scene.results !== '0x')
        const results = scene.results.slice(0, -2) as Hex
        expect(() => settledBatch({ ...scene, results }, separator)).toThrow(RangeError)
      }),
    )
  })
})

const links = [1n, 2n, 3n, 4n].map((amount) => ({ ...payment, payee: addressOf(0x70), amount }))
const signature = `0x${'5a'.repeat(64)}` as const
const head = `0x${'ee'.repeat(16)}` as const
const runOf = (some: typeof links) => ({ payer, links: some, signature })

describe('several runs of one payer in one batch', () => {
  const payload = encodeChainedBatch({
    ...{ token: dollar, scale: 1n, anchor: `0x${'0a'.repeat(32)}` },
    runs: [runOf(links.slice(0, 2)), runOf(links.slice(2, 3)), runOf(links.slice(3))],
  })
  const read = (results: Hex) => {
    const starts = new Map([[payer, { sequence: 7n, head }]])
    return settledBatch({ payload, scale: 1n, results, starts }, separator).payments
  }

  test('continue one another, and what follows a refused one continues what was before it', () => {
    const sequences = (results: Hex) => read(results).map((each) => [each.isSettled, each.payment.nonce])
    expect(sequences('0x07')).toEqual([
      [true, 8n],
      [true, 9n],
      [true, 10n],
      [true, 11n],
    ])
    expect(sequences('0x05')).toEqual([
      [true, 8n],
      [true, 9n],
      [false, 10n],
      [true, 10n],
    ])
    expect(read('0x05')[2]).toMatchObject({ isPlaced: false, digest: undefined, bit: 1 })
    const second = linkOf(links[1] ?? payment, linkOf(links[0] ?? payment, head, 1n), 1n)
    expect(read('0x05')[3]?.taking).toEqual({ mode: 'chained', previous: second })
  })

  test('share one bit per run, and only the last payment of a run brings a signature', () => {
    expect(read('0x07').map(({ bit, signature: own }) => [bit, own])).toEqual([
      [0, undefined],
      [0, signature],
      [1, signature],
      [2, signature],
    ])
  })

  test('cannot be named without knowing where the account stood', () => {
    const nowhere = { payload, scale: 1n, results: '0x07', starts: new Map() } as const
    expect(() => settledBatch(nowhere, separator)).toThrow(`where the account of ${payer} stood is not known`)
    expect(decodeSettlement(payload, 1n).chainedPayers).toEqual([payer])
  })
})

describe('calldata', () => {
  const anchor = `0x${'0a'.repeat(32)}` as const
  const independent = encodeBatch({ token: dollar, scale: 1n, anchor, payments: [], cancels: [] })
  const chained = encodeChainedBatch({ token: dollar, scale: 1n, anchor, runs: [runOf(links)] })

  test('of another function, or with a batch that this function does not take, holds no batch of ours', () => {
    const call = (functionName: 'settle' | 'settleChained', payload: Hex) =>
      encodeFunctionData({ abi: vaultAbi, functionName, args: [payload] })
    expect(settlePayloadOf(call('settle', independent))).toBe(independent)
    expect(settlePayloadOf(call('settle', chained))).toBeUndefined()
    expect(settlePayloadOf(call('settleChained', independent))).toBeUndefined()
    expect(settlePayloadOf(call('settle', '0x02'))).toBeUndefined()
    expect(settlePayloadOf(call('settle', '0x'))).toBeUndefined()
    const claim = encodeFunctionData({ abi: vaultAbi, functionName: 'claim', args: [dollar, payee] })
    expect(settlePayloadOf(claim)).toBeUndefined()
    expect(settlePayloadOf('0x')).toBeUndefined()
  })

  test.each(['0x', '0x00', '0x02', '0x05', '0x1001'] as const)(
    'is not made of %s, which is of no version that we send',
    (payload) => {
      expect(() => modeOfPayload(payload)).toThrow(RangeError)
      expect(() => settleCalldata(payload)).toThrow('is none of 01, 03 and 04')
    },
  )

  test('is of the mode that the first byte of the batch says', () => {
    expect([independent, chained, '0x04'].map((each) => modeOfPayload(each as Hex))).toEqual([
      'independent',
      'chained',
      'pull',
    ])
  })
})
