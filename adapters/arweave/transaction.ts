import Arweave from 'arweave'
import { z } from 'zod'

/** Private key of an Arweave wallet. @see RFC 7517, RSA with public exponent 65537 */
const walletSchema = z.looseObject({
  kty: z.literal('RSA'),
  ...{ n: z.string().min(1), e: z.string().min(1), d: z.string().min(1) },
  ...{ p: z.string(), q: z.string(), dp: z.string(), dq: z.string(), qi: z.string() },
})
export type Wallet = z.output<typeof walletSchema>

/** @throws Error without the text, which is a private key, unless it is a wallet. */
export function parseWallet(text: string): Wallet {
  const wallet = walletSchema.safeParse(jsonOf(text))
  if (wallet.success) return wallet.data
  throw new Error('The Arweave key is no JWK of an RSA private key.')
}

/** A signed tx of format 2 without its data, as it is posted. */
export type SignedItem = { readonly id: string; readonly header: string }

const arweave = Arweave.init({})

/** Signs a tx that carries the bytes, for this reward. Asks nobody. @param anchor of a recent block: 50 blocks later it is refused */
export async function signItem({
  wallet,
  bytes,
  tags,
  anchor,
  rewardWinston,
}: {
  readonly wallet: Wallet
  readonly bytes: Uint8Array
  readonly tags: Readonly<Record<string, string>>
  readonly anchor: string
  readonly rewardWinston: bigint
}): Promise<SignedItem> {
  const transaction = await arweave.createTransaction(
    { data: bytes, last_tx: anchor, reward: `${rewardWinston}` },
    wallet,
  )
  for (const [name, value] of Object.entries(tags)) transaction.addTag(name, value)
  await arweave.transactions.sign(transaction, wallet)
  return { id: transaction.id, header: JSON.stringify({ ...transaction.toJSON(), data: '' }) }
}

/** The bodies that bring the item to a node, in order: small data rides in the header, else its chunks follow. */
export async function bodiesOf(
  header: string,
  bytes: Uint8Array,
): Promise<{ readonly tx: string; readonly chunks: readonly string[] }> {
  const fields: Record<string, unknown> = JSON.parse(header)
  const transaction = arweave.transactions.fromRaw({ ...fields, data: bytes })
  await transaction.prepareChunks(bytes)
  const count = transaction.chunks?.chunks.length ?? 0
  if (count <= 1) return { tx: JSON.stringify({ ...fields, data: base64Url(bytes) }), chunks: [] }
  const chunks = Array.from({ length: count }, (_, index) => JSON.stringify(transaction.getChunk(index, bytes)))
  return { tx: header, chunks }
}

function base64Url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // An error of the parser would quote the key.
    return undefined
  }
}
