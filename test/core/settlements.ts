import fc from 'fast-check'
import { type Address, getAddress, type Hex } from 'viem'
import { linkOf } from '../../core/chained.ts'
import { encodeBatch } from '../../core/protocol/packed.ts'
import { encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { encodePullBatch } from '../../core/protocol/packed-pull.ts'
import type { ChainStart } from '../../core/protocol/settlement.ts'
import type { Mode, Taking } from '../../core/protocol/taking.ts'
import type { Payment } from '../../core/protocol/typed-data.ts'
import type { MinedBatch } from '../../core/settled-batch.ts'

/** A batch that was settled, and what a reader must make of it. */
export type Scene = MinedBatch & {
  readonly mode: Mode
  readonly token: Address
  readonly anchor: Hex
  /** In the order of the records. What a refused run signed, nobody can tell from the batch. */
  readonly payments: readonly {
    readonly signed: Payment
    readonly taking: Taking
    readonly signature: Hex | undefined
    readonly bit: number
    readonly isSettled: boolean
  }[]
  readonly cancels: readonly { readonly nonce: bigint; readonly payer: Address; readonly isSettled: boolean }[]
}

const bytes = (count: number): fc.Arbitrary<Hex> =>
  fc.uint8Array({ minLength: count, maxLength: count }).map((array): Hex => `0x${Buffer.from(array).toString('hex')}`)
const address = bytes(20).map((each) => getAddress(each))
const amount = fc.bigInt(1n, 2n ** 48n - 1n)
const deadline = fc.bigInt(1_000_000n, 1_065_535n)
const common = { token: address, scale: fc.constantFrom(1n, 10n ** 12n), anchor: bytes(32) }

const terms = { payer: address, payee: address, units: amount, deadline, orderRef: bytes(8), isSettled: fc.boolean() }
const record = fc.record({ ...terms, nonce: fc.bigInt(0n, 2n ** 32n - 1n), signature: bytes(64) })
type Drawn = typeof record extends fc.Arbitrary<infer Each> ? Each : never

const signedOf = (
  { payer, payee, units, nonce, deadline, orderRef }: Omit<Drawn, 'signature' | 'isSettled'>,
  token: Address,
  scale: bigint,
): Payment => ({
  ...{ payer, payee, token, amount: units * scale, nonce, deadline, orderRef },
})

/** Bit i is byte i / 8, value 1 << (i % 8). @see core/protocol/packed.ts */
function bitmapOf(bits: readonly boolean[]): Hex {
  const map = new Uint8Array(Math.ceil(bits.length / 8))
  for (const [at, isSet] of bits.entries()) if (isSet) map[at >> 3] = (map[at >> 3] ?? 0) | (1 << (at & 7))
  return `0x${Buffer.from(map).toString('hex')}`
}

export const independentScene: fc.Arbitrary<Scene> = fc
  .record({ ...common, payments: fc.array(record, { maxLength: 10 }), cancels: fc.array(record, { maxLength: 4 }) })
  .map(({ token, scale, anchor, payments, cancels }) => {
    const signed = payments.map((each) => ({ ...signedOf(each, token, scale), signature: each.signature }))
    const payload = encodeBatch({
      token,
      scale,
      anchor,
      payments: signed,
      cancels: cancels.map((c) => ({ ...c, token })),
    })
    return {
      ...{ mode: 'independent', token, scale, anchor, payload, starts: new Map(), cancels },
      results: bitmapOf([...payments, ...cancels].map(({ isSettled }) => isSettled)),
      payments: payments.map(({ signature, isSettled, ...each }, bit) => ({
        ...{ signed: signedOf(each, token, scale), taking: { mode: 'independent' }, signature, bit, isSettled },
      })),
    }
  })

export const pullScene: fc.Arbitrary<Scene> = fc
  .record({
    ...common,
    allowances: fc.array(record, { maxLength: 6 }),
    authorizations: fc.array(record, { maxLength: 6 }),
    payout: fc.constantFrom('netted', 'direct'),
    permits: fc.array(fc.record({ owner: address, value: amount, deadline, signature: bytes(64) }), { maxLength: 3 }),
  })
  .map(({ token, scale, anchor, allowances, authorizations, payout, permits }) => {
    const packed = (some: readonly Drawn[]) =>
      some.map((each) => ({ ...signedOf(each, token, scale), signature: each.signature }))
    const payload = encodePullBatch({
      ...{ token, scale, anchor, payout, permits },
      ...{ allowances: packed(allowances), authorizations: packed(authorizations) },
    })
    const payments = [...allowances, ...authorizations]
    return {
      ...{ mode: 'pull', token, scale, anchor, payload, starts: new Map(), cancels: [] },
      results: bitmapOf(payments.map(({ isSettled }) => isSettled)),
      payments: payments.map(({ signature, isSettled, ...each }, bit) => ({
        signed: signedOf(each, token, scale),
        taking: { mode: 'pull', means: bit < allowances.length ? 'allowance' : 'authorization' },
        ...{ signature, bit, isSettled },
      })),
    }
  })

const link = fc.record({ payee: address, units: amount, deadline, orderRef: bytes(8) })
const run = fc.record({
  /** Of few payers, so that one has several runs in a batch. */
  payer: fc.nat(2),
  links: fc.array(link, { minLength: 1, maxLength: 4 }),
  signature: bytes(64),
  isSettled: fc.boolean(),
})
const start = fc.record({ payer: address, sequence: fc.bigInt(0n, 2n ** 24n - 100n), head: bytes(16) })

/** A payer's payments are signed one after the other; a refused run leaves the account where it was. */
export const chainedScene: fc.Arbitrary<Scene> = fc
  .record({
    ...common,
    payers: fc.uniqueArray(start, { minLength: 3, maxLength: 3, selector: ({ payer }) => payer }),
    runs: fc.array(run, { maxLength: 8 }),
  })
  .map(({ token, scale, anchor, payers, runs }) => {
    const starts = new Map(
      payers.map(({ payer, sequence, head }): [Address, ChainStart] => [payer, { sequence, head }]),
    )
    const accounts = payers.map((each) => ({ ...each }))
    const payments: Scene['payments'][number][] = []
    const packed = runs.map(({ links, signature, isSettled, ...drawn }, bit) => {
      const account = accounts[drawn.payer] as (typeof accounts)[number]
      let { sequence: nonce, head: previous } = account
      const signed = links.map((each) => {
        nonce += 1n
        const payment = signedOf({ ...each, payer: account.payer, nonce }, token, scale)
        const taking = { mode: 'chained', previous } as const
        previous = linkOf(payment, previous, scale)
        return { signed: payment, taking }
      })
      payments.push(
        ...signed.map((each, at) => ({
          ...{ ...each, signature: at === signed.length - 1 ? signature : undefined, bit, isSettled },
        })),
      )
      if (isSettled) Object.assign(account, { sequence: nonce, head: previous })
      return { payer: account.payer, links: signed.map((each) => each.signed), signature }
    })
    return {
      ...{ mode: 'chained', token, scale, anchor, starts, payments, cancels: [] },
      payload: encodeChainedBatch({ token, scale, anchor, runs: packed }),
      results: bitmapOf(runs.map(({ isSettled }) => isSettled)),
    }
  })
