// `node scripts/generate-vectors.ts`: writes test/vectors/*.json, which pin what is signed and packed.
// With `--check` it writes nothing and exits 1 if a file on disk differs.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { type Hex, keccak256, stringToHex } from 'viem'
import { merkleProof, merkleRoot } from '../core/protocol/merkle.ts'
import { encodeBatch } from '../core/protocol/packed.ts'
import {
  type Acknowledgement,
  acknowledgementKeyDigest,
  acknowledgementLeaf,
  acknowledgementRootDigest,
  type Cancel,
  type ChainedPayment,
  cancelConsentDigest,
  cancelDigest,
  chainedPaymentDigest,
  domainSeparator,
  guarantees,
  type Payment,
  payeeOwnershipDigest,
  paymentDigest,
  zeroHash,
  zeroOrderRef,
} from '../core/protocol/typed-data.ts'
import {
  addressOf,
  alice,
  at,
  authority,
  bitmapOf,
  bob,
  cafe,
  carol,
  domain,
  keyOf,
  shop,
  shortLived,
  signatureOf,
  source,
  token,
  wideToken,
} from './vectors/actors.ts'
import { chained } from './vectors/chained.ts'
import { pull } from './vectors/pull.ts'

const curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const separator = domainSeparator(domain)

function paymentBy(account: number, changes: Partial<Payment>): Payment {
  return {
    payer: addressOf(account),
    payee: addressOf(shop),
    token,
    amount: 1_250_000n,
    nonce: 1n,
    deadline: at + 3_600n,
    orderRef: '0x1122334455667788',
    ...changes,
  }
}

async function typedData() {
  const payment = paymentBy(alice, {})
  const bare = paymentBy(bob, { amount: 2n ** 256n - 1n, nonce: 2n ** 32n - 1n, orderRef: zeroOrderRef })
  const chainedPayment: ChainedPayment = {
    ...{ payer: addressOf(alice), payee: addressOf(shop), token, amount: 1_250_000n, sequence: 3n },
    ...{ deadline: at + 3_600n, orderRef: '0x1122334455667788', previous: `0x${'ab'.repeat(16)}` },
  }
  const cancel = { payer: addressOf(alice), token, nonce: 7n, deadline: at + 60n }
  const consent = { paymentDigest: paymentDigest(separator, payment) }
  const ownership = { payee: addressOf(shop), app: 'app_merchant', issuedAt: at }
  const key = { relayerId: 7, key: addressOf(shortLived), notBefore: at - 3_600n, notAfter: at + 3_600n }
  const root = { root: keccak256(stringToHex('root')) }
  const cases = [
    { type: 'Payment', signer: alice, message: payment, digest: paymentDigest(separator, payment) },
    { type: 'Payment', signer: bob, message: bare, digest: paymentDigest(separator, bare) },
    {
      type: 'ChainedPayment',
      signer: alice,
      message: chainedPayment,
      digest: chainedPaymentDigest(separator, chainedPayment),
    },
    { type: 'Cancel', signer: alice, message: cancel, digest: cancelDigest(separator, cancel) },
    {
      type: 'CancelConsent',
      signer: shop,
      message: consent,
      digest: cancelConsentDigest(separator, consent.paymentDigest),
    },
    {
      type: 'PayeeOwnership',
      signer: shop,
      message: ownership,
      digest: payeeOwnershipDigest(separator, ownership),
    },
    {
      type: 'AcknowledgementRoot',
      signer: shortLived,
      message: root,
      digest: acknowledgementRootDigest(separator, root.root),
    },
    {
      type: 'AcknowledgementKey',
      signer: authority,
      message: key,
      digest: acknowledgementKeyDigest(separator, key),
    },
  ]
  return {
    source,
    domain,
    domainSeparator: separator,
    cases: await Promise.all(
      cases.map(async ({ signer, ...rest }) => ({
        ...rest,
        signer: addressOf(signer),
        privateKey: keyOf(signer),
        signature: await signatureOf(signer, rest.digest),
      })),
    ),
  }
}

type Marked<T> = T & { readonly signer: number; readonly takesEffect: boolean; readonly why: string }

/** Settles at `at`; every payer has put in `deposit` before, bound to relayer id 7. */
async function batchOf(batch: {
  readonly title: string
  readonly token: Hex
  readonly scale: bigint
  readonly deposit: bigint
  readonly payments: readonly Marked<Payment>[]
  readonly cancels: readonly Marked<Cancel>[]
}) {
  const anchor = keccak256(stringToHex(`anchor of: ${batch.title}`))
  const payments = await Promise.all(
    batch.payments.map(async ({ signer, ...payment }) => {
      const digest = paymentDigest(separator, payment)
      return { ...payment, digest, signature: await signatureOf(signer, digest) }
    }),
  )
  const cancels = await Promise.all(
    batch.cancels.map(async ({ signer, ...cancel }) => {
      const digest = cancelDigest(separator, cancel)
      return { ...cancel, digest, signature: await signatureOf(signer, digest) }
    }),
  )
  const packed = <T extends { readonly signature: { readonly compact: Hex } }>(record: T) => ({
    ...record,
    signature: record.signature.compact,
  })
  const blob = encodeBatch({ ...batch, anchor, payments: payments.map(packed), cancels: cancels.map(packed) })
  const results = bitmapOf([...payments, ...cancels].map((record) => record.takesEffect))
  return { ...batch, anchor, payments, cancels, blob, results }
}

async function packed() {
  const good = (changes: Partial<Payment>, signer: number = alice): Marked<Payment> => ({
    ...paymentBy(signer, changes),
    ...{ signer, takesEffect: true, why: 'good' },
  })
  const bad = (why: string, changes: Partial<Payment>, signer: number = alice): Marked<Payment> => ({
    ...good(changes),
    ...{ signer, takesEffect: false, why },
  })
  const cancel = (nonce: bigint, signer: number, why: string): Marked<Cancel> => ({
    ...{ payer: addressOf(bob), token, nonce, deadline: at + 120n },
    ...{ signer, takesEffect: why === 'good', why },
  })
  const wide = { token: wideToken, amount: 1_250_000n * 10n ** 12n }
  return {
    source,
    domain,
    at,
    relayerId: 7,
    batches: [
      await batchOf({
        title: 'good and bad records together',
        ...{ token, scale: 1n, deposit: 1_000_000_000n },
        payments: [
          good({}),
          good({ payee: addressOf(cafe), nonce: 64n, orderRef: zeroOrderRef }),
          bad('the nonce is used by the first', { amount: 3n }),
          bad('signed by another', { nonce: 2n }, bob),
          good({ nonce: 0n, amount: 294_967_295n }, bob),
          bad('one second past its deadline', { nonce: 3n, deadline: at - 1n }),
          bad('one second further ahead than 12 hours', { nonce: 4n, deadline: at + 43_201n }),
          good({ nonce: 5n, deadline: at + 43_200n }),
          good({ nonce: 6n, deadline: at }),
          bad('65 above the highest nonce used', { nonce: 129n }),
          good({ amount: 1_000_000_000n, payee: addressOf(cafe) }, carol),
          bad('nothing left', { payer: addressOf(carol), amount: 1n, nonce: 2n }, carol),
        ],
        cancels: [
          cancel(5n, bob, 'good'),
          cancel(5n, bob, 'burnt by the one before'),
          cancel(6n, alice, 'signed by another'),
        ],
      }),
      await batchOf({
        title: 'eighteen decimals, packed at a scale',
        ...{ token: wideToken, scale: 10n ** 12n, deposit: 10n ** 21n },
        payments: [good(wide), good({ ...wide, nonce: 2n }), good({ ...wide, amount: 10n ** 12n }, bob)],
        cancels: [],
      }),
    ],
  }
}

async function acknowledgement() {
  const payment = paymentBy(alice, { amount: 42_000_000n, nonce: 9n })
  const promiseFor = (digest: Hex, changes: Partial<Acknowledgement>): Acknowledgement => ({
    paymentDigest: digest,
    orderHash: keccak256(stringToHex('order')),
    fee: 12_500n,
    guarantee: 'collateralised',
    acceptedAt: at - 1_200n,
    settleBy: at - 1n,
    ...changes,
  })
  const digest = paymentDigest(separator, payment)
  const others = [1, 2, 3, 4].map((i) =>
    promiseFor(keccak256(stringToHex(`payment ${i}`)), { orderHash: zeroHash, guarantee: 'optimistic', fee: 0n }),
  )
  // Five leaves: the last has no sibling on the first two levels. The promise enforced on chain is the third.
  const acknowledgements = [...others.slice(0, 2), promiseFor(digest, {}), ...others.slice(2)]
  const leaves = acknowledgements.map(acknowledgementLeaf)
  const root = merkleRoot(leaves)
  const key = { relayerId: 7, key: addressOf(shortLived), notBefore: at - 7_200n, notAfter: at }
  return {
    source,
    domain,
    at,
    payment: { ...payment, digest, signature: await signatureOf(alice, digest) },
    acknowledgements: acknowledgements.map((ack, i) => ({
      ...{ ...ack, guarantee: guarantees[ack.guarantee] },
      leaf: leaves[i],
      proof: merkleProof(leaves, i),
    })),
    overdueIndex: 2,
    root,
    rootDigest: acknowledgementRootDigest(separator, root),
    rootSignature: await signatureOf(shortLived, acknowledgementRootDigest(separator, root)),
    key,
    keyDigest: acknowledgementKeyDigest(separator, key),
    keySignature: await signatureOf(authority, acknowledgementKeyDigest(separator, key)),
    authority: addressOf(authority),
  }
}

async function signatures() {
  const digest = paymentDigest(separator, paymentBy(alice, {}))
  const good = await signatureOf(alice, digest)
  const r = good.full.slice(2, 66)
  const s = good.full.slice(66, 130)
  const v = Number.parseInt(good.full.slice(130), 16)
  const twinS = (curveOrder - BigInt(`0x${s}`)).toString(16).padStart(64, '0')
  const zero = '00'.repeat(32)
  const vHex = (value: number) => value.toString(16).padStart(2, '0')
  const ok = (why: string, input: string) => ({ why, input, outcome: 'ok', ...good })
  const malformed = (why: string, input: string) => ({ why, input, outcome: 'malformed' })
  return {
    source,
    digest,
    signer: addressOf(alice),
    cases: [
      ok('65 bytes, v 27 or 28', good.full),
      ok('65 bytes, v 0 or 1', `0x${r}${s}${vHex(v - 27)}`),
      ok('64 bytes, EIP-2098', good.compact),
      malformed('the high twin', `0x${r}${twinS}${vHex(55 - v)}`),
      malformed('v 29', `0x${r}${s}1d`),
      malformed('r zero', `0x${zero}${s}${vHex(v)}`),
      malformed('s zero', `0x${r}${zero}${vHex(v)}`),
      malformed('66 bytes', `${good.full}00`),
      malformed('63 bytes', good.compact.slice(0, -2)),
      malformed('nothing', '0x'),
    ],
  }
}

const files = {
  'typed-data.json': await typedData(),
  'packed.json': await packed(),
  'chained.json': await chained(),
  'pull.json': await pull(),
  'acknowledgement.json': await acknowledgement(),
  'signature.json': await signatures(),
}
const isCheck = process.argv.includes('--check')
const folder = new URL('../test/vectors/', import.meta.url)
await mkdir(folder, { recursive: true })
for (const [name, content] of Object.entries(files)) {
  const decimal = (_: string, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)
  const wanted = `${JSON.stringify(content, decimal, 2)}\n`
  const file = new URL(name, folder)
  if (!isCheck) await writeFile(file, wanted)
  else if ((await readFile(file, 'utf8').catch(() => '')) !== wanted) {
    console.error(`test/vectors/${name} is stale: run node scripts/generate-vectors.ts`)
    process.exitCode = 1
  }
}
