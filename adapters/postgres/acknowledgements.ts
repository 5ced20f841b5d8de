import { sql } from 'kysely'
import { concat, type Hex } from 'viem'
import type { Acknowledger, KeyCertificate, SignedAcknowledgement } from '../../core/ports/intake.ts'
import { merkleProof, merkleProofs, merkleRoot } from '../../core/protocol/merkle.ts'
import { type Acknowledgement, acknowledgementLeaf } from '../../core/protocol/typed-data.ts'
import { byteaText, hexOf, uuidOfOwn } from './codec.ts'
import type { DbTransaction } from './database.ts'

/** One signature for all that a group commit accepts on one chain. `acknowledgements` in the order of `leaves`. */
export type SignedTree = {
  readonly id: string
  readonly chainId: number
  readonly root: Hex
  readonly leaves: readonly Hex[]
  readonly rootSignature: Hex
  readonly key: KeyCertificate
  readonly acknowledgements: readonly SignedAcknowledgement[]
}

/** Signs what is accepted on one chain: the domain, and so the signature, is per vault. At least one acknowledgement. */
export async function signTree(
  acknowledger: Acknowledger,
  { id, chainId, acknowledgements }: { id: string; chainId: number; acknowledgements: readonly Acknowledgement[] },
): Promise<SignedTree> {
  const leaves = acknowledgements.map(acknowledgementLeaf)
  const root = merkleRoot(leaves)
  const proofs = merkleProofs(leaves)
  const key = acknowledger.certificate(chainId)
  const rootSignature = await acknowledger.signRoot(chainId, root)
  return {
    id,
    chainId,
    root,
    leaves,
    rootSignature,
    key,
    acknowledgements: acknowledgements.map((a, index) => ({
      ...a,
      proof: proofs[index] ?? [],
      root,
      rootSignature,
      key,
    })),
  }
}

type KeyJson = {
  readonly [Field in keyof KeyCertificate]: KeyCertificate[Field] extends bigint ? string : KeyCertificate[Field]
}

export async function storeTrees(tx: DbTransaction, trees: readonly SignedTree[]): Promise<void> {
  if (trees.length === 0) return
  const set = trees.map(({ id, chainId, root, leaves, rootSignature, key }) => ({
    id: uuidOfOwn('ak', id),
    chain: chainId,
    root: byteaText(root),
    leaves: byteaText(concat(leaves)),
    signature: byteaText(rootSignature),
    key: { ...key, notBefore: `${key.notBefore}`, notAfter: `${key.notAfter}` } satisfies KeyJson,
  }))
  await sql`
    insert into acknowledgement (id, chain_id, root, leaves, signature, key_certificate)
    select id, chain, root, leaves, signature, key
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb)
      as r(id uuid, chain bigint, root bytea, leaves bytea, signature bytea, key jsonb)`.execute(tx)
}

/** The columns of `acknowledgement` that prove one leaf. */
export type TreeRow = {
  readonly root: Buffer
  readonly leaves: Buffer
  readonly root_signature: Buffer
  readonly key_certificate: KeyJson
}

/** An acknowledgement as it was handed out: `index` is the position of its leaf. */
export function proven(acknowledgement: Acknowledgement, index: number, row: TreeRow): SignedAcknowledgement {
  const leaves = Array.from({ length: row.leaves.length / 32 }, (_, at) =>
    hexOf(row.leaves.subarray(32 * at, 32 * (at + 1))),
  )
  const key = row.key_certificate
  return {
    ...acknowledgement,
    proof: merkleProof(leaves, index),
    root: hexOf(row.root),
    rootSignature: hexOf(row.root_signature),
    key: { ...key, notBefore: BigInt(key.notBefore), notAfter: BigInt(key.notAfter) },
  }
}
