import { secp256k1 } from '@noble/curves/secp256k1'
import fc from 'fast-check'
import { type Address, type Hex, hexToBytes, keccak256, toHex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { beforeAll, expect, test } from 'vitest'
import {
  cancelBytes,
  decodeResults,
  encodeBatch,
  headerBytes,
  payeeBytes,
  paymentBytes,
} from '../../core/protocol/packed.ts'
import { chainedLink, encodeChainedBatch } from '../../core/protocol/packed-chained.ts'
import { encodePullBatch } from '../../core/protocol/packed-pull.ts'
import {
  authorizationDigest,
  cancelDigest,
  chainedPaymentDigest,
  domainOf,
  domainSeparator,
  paymentDigest,
  pullAuthorization,
  pullPaymentDigest,
} from '../../core/protocol/typed-data.ts'
import { chainId, deployVault } from './deployment.ts'

// Any batch that the encoder writes, of signed records, against the contracts: a signature covers every field, so a bit in
// the answer says that the contracts read all of a record as it was meant. Then one bit of a record is turned, which must
// void that record and no other.

const startsAt = 1_800_000_000
const now = BigInt(startsAt)
/** More in `npm run fuzz`. */
const numRuns = Number(process.env.FUZZ_RUNS ?? 100)
const seed = process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }
const timeout = 60_000 + 100 * numRuns
const keys = [1n, 2n, 3n, 4n].map((key) => toHex(key, { size: 32 }))
const payers = keys.map((key) => privateKeyToAddress(key))
const keyOf = (payer: Address): Hex => keys[payers.indexOf(payer)] ?? '0x'

function sign(key: Hex, digest: Hex): Hex {
  const signature = secp256k1.sign(hexToBytes(digest), hexToBytes(key), { lowS: true })
  const parity = BigInt(signature.recovery) << 255n
  return `0x${signature.r.toString(16).padStart(64, '0')}${(signature.s | parity).toString(16).padStart(64, '0')}`
}

const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count }).map((value) => toHex(value))
// Zero cannot be paid.
const payee = bytes(20).filter((address) => BigInt(address) > 0n) as fc.Arbitrary<Address>
const terms = (amountMax: bigint) =>
  fc.record({
    payee: fc.oneof(payee, fc.constantFrom<Address>('0x00000000000000000000000000000000000000ff')),
    amount: fc.oneof(fc.bigInt(1n, 255n), fc.bigInt(1n, amountMax)),
    deadline: fc.bigInt(now + 1_000n, now + 42_000n),
    orderRef: bytes(8),
  })
/** Which bit of the records is turned, as a share of all. */
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })

function turned(blob: Hex, from: number, share: number): { readonly blob: Hex; readonly byte: number } {
  const content = hexToBytes(blob)
  const bit = Math.floor(share * (content.length - from) * 8)
  const byte = from + Math.floor(bit / 8)
  content[byte] = (content[byte] ?? 0) ^ (1 << (bit % 8))
  return { blob: toHex(content), byte }
}

const only = (count: number, index: number): readonly boolean[] => Array.from({ length: count }, (_, i) => i !== index)

type Stage = Awaited<ReturnType<typeof deployVault>>
let stage: Stage
let sender: Address

beforeAll(async () => {
  stage = await deployVault({ startsAt })
  const [added] = await stage.vault.getEvents.RelayerAdded({}, { fromBlock: 0n, strict: true })
  sender = added?.args.sender ?? '0x'
  for (const payer of payers) {
    for (const held of [stage.token, stage.wideToken]) {
      await stage.deposit({ payer, of: held, amount: 2n ** 100n })
      await stage.deposit({ payer, of: held, amount: 2n ** 87n, mode: 'chained' })
    }
    const spender = stage.settler.address
    await stage.allow({ payer, of: stage.authorizingToken, amount: 2n ** 87n, spender })
  }
})

/** What the function would answer now, or undefined if it reverts. */
async function answerOf(
  read: Promise<{ readonly result: Hex }>,
  count: number,
): Promise<readonly boolean[] | undefined> {
  const answer = await read.catch(() => undefined)
  return answer && decodeResults(answer.result, count)
}

test('the vault reads every independent batch as it was written, and voids a record for a single bit', {
  timeout,
}, async () => {
  const { vault } = stage
  const separator = domainSeparator(domainOf({ chainId, vault: vault.address }))
  const settle = (blob: Hex, count: number) =>
    answerOf(vault.simulate.settle([blob], { account: sender, gas: 16_000_000n }), count)
  const batches = fc.record({
    isWide: fc.boolean(),
    payments: fc.array(terms(2n ** 48n - 1n), { minLength: 1, maxLength: 12 }),
    cancels: fc.array(fc.bigInt(now + 1_000n, now + 42_000n), { maxLength: 4 }),
    firstPayer: fc.nat(3),
    share: place,
  })
  await fc.assert(
    fc.asyncProperty(batches, async ({ isWide, firstPayer, share, ...drawn }) => {
      const token = (isWide ? stage.wideToken : stage.token).address
      const scale = isWide ? 10n ** 12n : 1n
      const at = (index: number) => ({
        payer: payers[(firstPayer + index) % 4] ?? '0x',
        nonce: BigInt(index + 1),
        token,
      })
      const payments = drawn.payments.map((given, index) => {
        const payment = { ...given, ...at(index), amount: given.amount * scale }
        return { ...payment, signature: sign(keyOf(payment.payer), paymentDigest(separator, payment)) }
      })
      const cancels = drawn.cancels.map((deadline, index) => {
        const cancel = { ...at(payments.length + index), deadline }
        return { ...cancel, signature: sign(keyOf(cancel.payer), cancelDigest(separator, cancel)) }
      })
      const count = payments.length + cancels.length
      const blob = encodeBatch({ token, scale, anchor: keccak256('0x'), payments, cancels })
      expect(await settle(blob, count)).toEqual(only(count, -1))

      const recordsAt = headerBytes + payeeBytes * new Set(payments.map((payment) => payment.payee)).size
      const bent = turned(blob, recordsAt, share)
      const inPayments = Math.floor((bent.byte - recordsAt) / paymentBytes)
      const inCancels = Math.floor((bent.byte - recordsAt - paymentBytes * payments.length) / cancelBytes)
      const index = inPayments < payments.length ? inPayments : payments.length + inCancels
      // A payee index beyond the table is a fault of the whole batch.
      expect((await settle(bent.blob, count)) ?? only(count, index)).toEqual(only(count, index))
    }),
    { numRuns, ...seed },
  )
})

test('the vault reads every chained batch as it was written, and voids a run for a single bit', {
  timeout,
}, async () => {
  const { vault } = stage
  const separator = domainSeparator(domainOf({ chainId, vault: vault.address }))
  const settle = (blob: Hex, count: number) =>
    answerOf(vault.simulate.settleChained([blob], { account: sender, gas: 16_000_000n }), count)
  const links = fc.array(terms(2n ** 48n - 1n), { minLength: 1, maxLength: 8 })
  const batches = fc.record({
    isWide: fc.boolean(),
    runs: fc.array(links, { minLength: 1, maxLength: 4 }),
    share: place,
  })
  await fc.assert(
    fc.asyncProperty(batches, async ({ isWide, share, ...drawn }) => {
      const token = (isWide ? stage.wideToken : stage.token).address
      const scale = isWide ? 10n ** 12n : 1n
      const runs = drawn.runs.map((given, index) => {
        const payer = payers[index] ?? '0x'
        // Eight of the largest amounts of the wide token would not fit the 88 bits of a chained balance.
        const scaled = given.map((link) => ({
          ...link,
          amount: (isWide ? (link.amount + 63n) / 64n : link.amount) * scale,
        }))
        const heads: Hex[] = [`0x${'00'.repeat(16)}`]
        for (const link of scaled) heads.push(chainedLink(link, heads.at(-1) ?? '0x', scale))
        const last = { ...(scaled.at(-1) ?? given[0]), payer, token, sequence: BigInt(given.length) }
        const signed = { ...last, previous: heads.at(-2) ?? '0x' } as Parameters<typeof chainedPaymentDigest>[1]
        return { payer, links: scaled, signature: sign(keyOf(payer), chainedPaymentDigest(separator, signed)) }
      })
      const blob = encodeChainedBatch({ token, scale, anchor: keccak256('0x'), runs })
      expect(await settle(blob, runs.length)).toEqual(only(runs.length, -1))

      const recordsAt = headerBytes + payeeBytes * new Set(drawn.runs.flat().map((link) => link.payee)).size
      const bent = turned(blob, recordsAt, share)
      const ends = runs.map((_, index) =>
        runs.slice(0, index + 1).reduce((sum, run) => sum + 86 + 18 * run.links.length, recordsAt),
      )
      const index = ends.findIndex((end) => bent.byte < end)
      const answer = (await settle(bent.blob, runs.length)) ?? only(runs.length, index)
      // A turned count moves where later runs begin, so only what stands before them is sure.
      expect(answer.slice(0, index + 1)).toEqual(only(runs.length, index).slice(0, index + 1))
    }),
    { numRuns, ...seed },
  )
})

test('the settler reads every pull batch as it was written, and voids a record for a single bit', {
  timeout,
}, async () => {
  const { settler, authorizingToken } = stage
  const domain = domainOf({ chainId, vault: settler.address })
  const separator = domainSeparator(domain)
  const tokenSeparator = await stage.client.readContract({
    address: authorizingToken.address,
    abi: [
      {
        type: 'function',
        name: 'DOMAIN_SEPARATOR',
        inputs: [],
        outputs: [{ type: 'bytes32' }],
        stateMutability: 'view',
      },
    ],
    functionName: 'DOMAIN_SEPARATOR',
  })
  const settle = (blob: Hex, count: number) =>
    answerOf(settler.simulate.settlePull([blob], { account: sender, gas: 16_000_000n }), count)
  const batches = fc.record({
    payout: fc.constantFrom('netted', 'direct'),
    payments: fc.array(terms(2n ** 48n - 1n), { minLength: 1, maxLength: 8 }),
    byAllowance: fc.nat(8),
    permits: fc.array(
      fc.record({
        owner: payee,
        value: fc.bigInt(0n, 2n ** 256n - 1n),
        deadline: fc.bigInt(0n, 2n ** 256n - 1n),
        signature: bytes(64),
      }),
      { maxLength: 2 },
    ),
    share: place,
  })
  await fc.assert(
    fc.asyncProperty(batches, async ({ payout, permits, byAllowance, share, ...drawn }) => {
      const token = authorizingToken.address
      const payments = drawn.payments.map((given, index) => {
        const payment = { ...given, payer: payers[index % 4] ?? '0x', nonce: BigInt(index + 1), token }
        const digest =
          index < byAllowance
            ? pullPaymentDigest(separator, payment)
            : authorizationDigest(tokenSeparator, pullAuthorization(domain, payment))
        return { ...payment, signature: sign(keyOf(payment.payer), digest) }
      })
      const [allowances, authorizations] = [payments.slice(0, byAllowance), payments.slice(byAllowance)]
      const batch = { token, scale: 1n, anchor: keccak256('0x'), payout, permits, allowances, authorizations } as const
      const blob = encodePullBatch(batch)
      expect(await settle(blob, payments.length)).toEqual(only(payments.length, -1))

      const recordsAt = blob.length / 2 - 1 - paymentBytes * payments.length
      const bent = turned(blob, recordsAt, share)
      const index = Math.floor((bent.byte - recordsAt) / paymentBytes)
      const answer = (await settle(bent.blob, payments.length)) ?? only(payments.length, index)
      expect(answer).toEqual(only(payments.length, index))
    }),
    { numRuns, ...seed },
  )
})
