import { concat, type Hex, keccak256 } from 'viem'

/**
 * Merkle tree with sorted pairs; a node without a sibling moves up unchanged.
 * Verifies with OpenZeppelin's `MerkleProof.verify`, so contracts and auditors need nothing of ours.
 */
export function merkleRoot(leaves: readonly Hex[]): Hex {
  return merkleNodes(leaves).at(-1) ?? missing()
}

/** The whole tree, level by level: leaves first, root last. Hashed once; every proof is a choice of these nodes. */
export function merkleNodes(leaves: readonly Hex[]): readonly Hex[] {
  if (leaves.length === 0) missing()
  const nodes = [...leaves]
  let level = leaves
  while (level.length > 1) {
    const above: Hex[] = []
    for (let i = 0; i < level.length; i += 2) {
      const left = level[i] ?? missing()
      const right = level[i + 1]
      above.push(right === undefined ? left : pair(left, right))
    }
    nodes.push(...above)
    level = above
  }
  return nodes
}

/**
 * Where among the nodes of `leafCount` leaves the siblings of the leaf at `index` are, from the leaf up to the root:
 * ⌈log2(leafCount)⌉ at most. @throws RangeError if there is no such leaf.
 */
export function siblingPlaces({ leafCount, index }: { leafCount: number; index: number }): readonly number[] {
  if (!Number.isInteger(index) || index < 0 || index >= leafCount) throw new RangeError(`leaf ${index} of ${leafCount}`)
  const places: number[] = []
  let start = 0
  let at = index
  for (let width = leafCount; width > 1; width = Math.ceil(width / 2)) {
    const sibling = at ^ 1
    if (sibling < width) places.push(start + sibling)
    start += width
    at >>= 1
  }
  return places
}

/** The siblings from the leaf at `index` up to the root. @throws RangeError if there is no such leaf. */
export function merkleProof(leaves: readonly Hex[], index: number): readonly Hex[] {
  const places = siblingPlaces({ leafCount: leaves.length, index })
  const nodes = merkleNodes(leaves)
  return places.map((place) => nodes[place] ?? missing())
}

/** The root that `leaf` and `proof` lead to. */
export function merkleFold(leaf: Hex, proof: readonly Hex[]): Hex {
  return proof.reduce(pair, leaf)
}

/** Lower-case hex of equal length sorts as the bytes do. */
function pair(a: Hex, b: Hex): Hex {
  return keccak256(a < b ? concat([a, b]) : concat([b, a]))
}

function missing(): never {
  throw new RangeError('a Merkle tree needs at least one leaf')
}
