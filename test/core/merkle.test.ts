import fc from 'fast-check'
import { concat, type Hex, keccak256 } from 'viem'
import { describe, expect, test } from 'vitest'
import { merkleFold, merkleNodes, merkleProof, merkleRoot, siblingPlaces } from '../../core/protocol/merkle.ts'

const leaf = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((array): Hex => `0x${Buffer.from(array).toString('hex')}`)
const leaves = fc.uniqueArray(leaf, { minLength: 1, maxLength: 40 })

const hashOf = (number: number): Hex => `0x${number.toString(16).padStart(64, '0')}`

describe('a proof', () => {
  test('of every leaf folds to the root, and of no other leaf', () => {
    fc.assert(
      fc.property(leaves, leaf, (all, stranger) => {
        const root = merkleRoot(all)
        for (const [index, each] of all.entries()) {
          const proof = merkleProof(all, index)
          expect(merkleFold(each, proof)).toBe(root)
          for (const [otherIndex, other] of all.entries()) {
            if (otherIndex !== index) expect(merkleFold(other, proof)).not.toBe(root)
          }
          if (!all.includes(stranger)) expect(merkleFold(stranger, proof)).not.toBe(root)
        }
      }),
      { numRuns: 25 },
    )
  })

  test('has ⌈log2 n⌉ hashes at most', () => {
    for (const [count, most] of [
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 2],
      [5, 3],
      [32, 5],
      [33, 6],
    ] as const) {
      const all = Array.from({ length: count }, (_, index) => hashOf(index + 1))
      const lengths = all.map((_, index) => merkleProof(all, index).length)
      expect(Math.max(...lengths), `${count} leaves`).toBe(most)
    }
  })

  test('of a leaf before the first or after the last is refused', () => {
    expect(() => merkleProof([hashOf(1)], 1)).toThrow(RangeError)
    expect(() => merkleProof([hashOf(1)], -1)).toThrow(RangeError)
    expect(() => merkleProof([hashOf(1)], Number.NaN)).toThrow(RangeError)
  })
})

describe('a tree', () => {
  test('of one leaf is that leaf', () => {
    expect(merkleRoot([hashOf(7)])).toBe(hashOf(7))
    expect(merkleProof([hashOf(7)], 0)).toEqual([])
  })

  test('sorts its pairs, so that the order of two siblings does not matter', () => {
    expect(merkleRoot([hashOf(1), hashOf(2)])).toBe(keccak256(concat([hashOf(1), hashOf(2)])))
    expect(merkleRoot([hashOf(2), hashOf(1)])).toBe(merkleRoot([hashOf(1), hashOf(2)]))
  })

  test('lifts a node without a sibling unchanged', () => {
    expect(merkleRoot([hashOf(1), hashOf(2), hashOf(3)])).toBe(
      merkleRoot([merkleRoot([hashOf(1), hashOf(2)]), hashOf(3)]),
    )
  })

  test('without leaves is refused', () => {
    expect(() => merkleRoot([])).toThrow(RangeError)
  })
})

test('a path chosen from the stored nodes is the proof, whatever the number of leaves', () => {
  fc.assert(
    fc.property(leaves, (all) => {
      const nodes = merkleNodes(all)
      expect(nodes.at(-1)).toBe(merkleRoot(all))
      for (const [index, each] of all.entries()) {
        const path = siblingPlaces({ leafCount: all.length, index }).map((place) => nodes[place] ?? hashOf(0))
        expect(merkleFold(each, path)).toBe(merkleRoot(all))
      }
    }),
  )
})
