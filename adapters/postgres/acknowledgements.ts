import { sql } from 'kysely'
import { concat, type Hex } from 'viem'
import { RelayError } from '../../core/errors.ts'
import type { Acknowledger, KeyCertificate, SignedAcknowledgement } from '../../core/ports/intake.ts'
import { merkleNodes, siblingPlaces } from '../../core/protocol/merkle.ts'
import { type Acknowledgement, acknowledgementLeaf } from '../../core/protocol/typed-data.ts'
import { byteaText, hexOf, uuidOfOwn } from './codec.ts'
import type { DbTransaction } from './database.ts'

/** One signature for all that a group commit accepts on one chain. `acknowledgements` in the order of the leaves. */
export type SignedTree = {
  readonly id: string
  readonly chainId: number
  readonly root: Hex
  readonly nodes: readonly Hex[]
  readonly rootSignature: Hex
  readonly key: KeyCertificate
  readonly acknowledgements: readonly SignedAcknowledgement[]
}

/** Signs what is accepted on one chain: the domain, and so the signature, is per vault. At least one acknowledgement. */
export async function signTree(
  acknowledger: Acknowledger,
  { id, chainId, acknowledgements }: { id: string; chainId: number; acknowledgements: readonly Acknowledgement[] },
): Promise<SignedTree> {
  const nodes = merkleNodes(acknowledgements.map(acknowledgementLeaf))
  const root = nodes.at(-1) ?? noNode()
  const key = acknowledger.certificate(chainId)
  const rootSignature = await acknowledger.signRoot(chainId, root)
  return {
    id,
    chainId,
    root,
    nodes,
    rootSignature,
    key,
    acknowledgements: acknowledgements.map((a, index) => ({
      ...a,
      proof: siblingPlaces({ leafCount: acknowledgements.length, index }).map((place) => nodes[place] ?? noNode()),
      root,
      rootSignature,
      key,
    })),
  }
}

function noNode(): never {
  throw new RelayError('internal', 'a Merkle tree lacks a node')
}

type KeyJson = {
  readonly [Field in keyof KeyCertificate]: KeyCertificate[Field] extends bigint ? string : KeyCertificate[Field]
}

export async function storeTrees(tx: DbTransaction, trees: readonly SignedTree[]): Promise<void> {
  if (trees.length === 0) return
  const set = trees.map(({ id, chainId, root, nodes, rootSignature, key, acknowledgements }) => ({
    id: uuidOfOwn('ak', id),
    chain: chainId,
    root: byteaText(root),
    leaf_count: acknowledgements.length,
    nodes: byteaText(concat(nodes)),
    signature: byteaText(rootSignature),
    key: { ...key, notBefore: `${key.notBefore}`, notAfter: `${key.notAfter}` } satisfies KeyJson,
  }))
  await sql`
    insert into acknowledgement (id, chain_id, root, leaf_count, nodes, signature, key_certificate)
    select id, chain, root, leaf_count, nodes, signature, key
    from jsonb_to_recordset(${JSON.stringify(set)}::jsonb)
      as r(id uuid, chain bigint, root bytea, leaf_count integer, nodes bytea, signature bytea, key jsonb)`.execute(tx)
}

/** The columns of `acknowledgement` that prove one leaf. */
export type TreeRow = {
  readonly root: Buffer
  readonly leaf_count: number
  readonly nodes: Buffer
  readonly root_signature: Buffer
  readonly key_certificate: KeyJson
}

/**
 * An acknowledgement as it was handed out: `index` is the position of its leaf. The path is chosen from the stored tree:
 * hashing 256 leaves anew took 2.7 ms of CPU per read, choosing takes 0.1 ms, and a path in every payment's row would
 * take four times the space of the tree, again with each update of the row.
 */
export function proven(acknowledgement: Acknowledgement, index: number, row: TreeRow): SignedAcknowledgement {
  const places = siblingPlaces({ leafCount: row.leaf_count, index })
  const key = row.key_certificate
  return {
    ...acknowledgement,
    proof: places.map((place) => hexOf(row.nodes.subarray(32 * place, 32 * (place + 1)))),
    root: hexOf(row.root),
    rootSignature: hexOf(row.root_signature),
    key: { ...key, notBefore: BigInt(key.notBefore), notAfter: BigInt(key.notAfter) },
  }
}
