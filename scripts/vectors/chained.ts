import { type Hex, keccak256, stringToHex } from 'viem'
import { chainedLink, encodeChainedBatch, type Link } from '../../core/protocol/packed-chained.ts'
import { type ChainedPayment, chainedPaymentDigest, domainSeparator } from '../../core/protocol/typed-data.ts'
import {
  addressOf,
  alice,
  at,
  bitmapOf,
  bob,
  cafe,
  domain,
  shop,
  signatureOf,
  source,
  token,
  wideToken,
} from './actors.ts'

const separator = domainSeparator(domain)
const noHead: Hex = `0x${'00'.repeat(16)}`

type Chain = { readonly payer: number; readonly signer: number; readonly links: readonly Link[]; readonly why: string }

/** Every payment of every run, each as its payer signed it, and which runs take effect when all settle at `at`. */
export async function chained() {
  const link = (i: number, changes: Partial<Link> = {}): Link => ({
    payee: addressOf(i % 3 === 2 ? cafe : shop),
    amount: 1_250_000n + BigInt(i),
    deadline: at + 3_600n - BigInt(i),
    orderRef: `0x11223344556677${(0x80 + i).toString(16)}`,
    ...changes,
  })
  return {
    source,
    domain,
    at,
    relayerId: 7,
    batches: [
      await batchOf({ title: 'good and bad runs together', token, scale: 1n, deposit: 100_000_000n }, [
        { payer: alice, signer: alice, why: 'good', links: [0, 1, 2, 3, 4].map((i) => link(i)) },
        { payer: bob, signer: alice, why: 'signed by another', links: [link(5)] },
        { payer: alice, signer: alice, why: 'good', links: [link(6, { deadline: at })] },
        { payer: alice, signer: alice, why: 'a deadline has passed', links: [link(7, { deadline: at - 1n }), link(8)] },
        { payer: alice, signer: alice, why: 'more than the balance', links: [link(9, { amount: 100_000_000n })] },
        { payer: bob, signer: bob, why: 'good', links: [link(10, { amount: 100_000_000n })] },
      ]),
      await batchOf(
        { title: 'eighteen decimals, packed at a scale', token: wideToken, scale: 10n ** 12n, deposit: 10n ** 21n },
        [
          {
            payer: alice,
            signer: alice,
            why: 'good',
            links: [1, 2].map((i) => link(i, { amount: BigInt(i) * 10n ** 18n })),
          },
        ],
      ),
    ],
  }
}

type Terms = { readonly title: string; readonly token: Hex; readonly scale: bigint; readonly deposit: bigint }

/** A run that fails leaves its payer's chain where it was. */
async function batchOf(terms: Terms, chains: readonly Chain[]) {
  const ends = new Map<number, { readonly sequence: bigint; readonly head: Hex }>()
  const anchor = keccak256(stringToHex(`anchor of: ${terms.title}`))
  const runs = await Promise.all(
    chains
      .map(({ payer, signer, links, why }) => {
        let { sequence, head } = ends.get(payer) ?? { sequence: 0n, head: noHead }
        const payments = links.map((link) => {
          sequence += 1n
          const payment: ChainedPayment = {
            payer: addressOf(payer),
            token: terms.token,
            ...link,
            sequence,
            previous: head,
          }
          head = chainedLink(link, head, terms.scale)
          return { ...payment, link: head, digest: chainedPaymentDigest(separator, payment) }
        })
        if (why === 'good') ends.set(payer, { sequence, head })
        const digest = payments.at(-1)?.digest
        if (digest === undefined) throw new RangeError('a run without payments')
        return { signer, digest, payer: addressOf(payer), payments, takesEffect: why === 'good', why }
      })
      .map(async ({ signer, digest, ...run }) => ({ ...run, signature: await signatureOf(signer, digest) })),
  )
  const packed = runs.map(({ payer, payments, signature }) => ({
    payer,
    links: payments,
    signature: signature.compact,
  }))
  return {
    ...terms,
    anchor,
    runs,
    blob: encodeChainedBatch({ ...terms, anchor, runs: packed }),
    results: bitmapOf(runs.map((run) => run.takesEffect)),
  }
}
