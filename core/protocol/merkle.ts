import { concat, type Hex, keccak256 } from 'viem'

/**
 * Merkle tree with sorted pairs; a node without a sibling moves up unchanged.
 * Verifies with OpenZeppelin's `MerkleProof.verify`, so contracts and auditors need nothing of ours.
 */
export function merkleRoot(leaves: readonly Hex[]): Hex {
  return levelsOf(leaves).at(-1)?.[0] ?? missing()
}

/** The siblings of every leaf up to the root, ⌈log2(leaves)⌉ at most each; the tree is hashed once. */
export function merkleProofs(leaves: readonly Hex[]): readonly (readonly Hex[])[] {
  const levels = levelsOf(leaves)
  return leaves.map((_, index) =>
    levels.flatMap((level, height) => {
      const sibling = level[(index >> height) ^ 1]
      return sibling === undefined ? [] : [sibling]
    }),
  )
}

/** The siblings from the leaf at `index` up to the root. @throws RangeError if there is no such leaf. */
export function merkleProof(leaves: readonly Hex[], index: number): readonly Hex[] {
  const proof = merkleProofs(leaves)[index]
  if (proof === undefined) throw new RangeError(`leaf ${index} of ${leaves.length}`)
  return proof
}

/** The root that `leaf` and `proof` lead to. */
export function merkleFold(leaf: Hex, proof: readonly Hex[]): Hex {
  return proof.reduce(pair, leaf)
}

function levelsOf(leaves: readonly Hex[]): readonly (readonly Hex[])[] {
  const levels: (readonly Hex[])[] = [leaves]
  let level = leaves
  while (level.length > 1) {
    const above: Hex[] = []
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] ?? missing()
      const right = level[i + 1]
      above.push(right === undefined ? left : pair(left, right))
    }
    levels.push(above)
    level = above
  }
  return levels
}

/** Lower-case hex of equal length sorts as the bytes do. */
function pair(a: Hex, b: Hex): Hex {
  return keccak256(a < b ? concat([a, b]) : concat([b, a]))
}

function missing(): never {
  throw new RangeError('a Merkle tree needs at least one leaf')
}
