import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { finalizedNumber } from '../../core/finality.ts'

const depth = (blocks: number) => ({ rule: 'depth', depth: blocks }) as const
const tag = { rule: 'tag' } as const

describe('by depth', () => {
  test('a block with exactly that many on top is final, the next one is not', () => {
    expect(finalizedNumber({ rule: depth(12), head: 100n, tagged: undefined, previous: 0n })).toBe(88n)
  })

  test('depth 0 makes the head final', () => {
    expect(finalizedNumber({ rule: depth(0), head: 100n, tagged: 50n, previous: 0n })).toBe(100n)
  })

  test('a chain shorter than the depth leaves all as it was', () => {
    expect(finalizedNumber({ rule: depth(12), head: 5n, tagged: undefined, previous: 3n })).toBe(3n)
  })
})

describe('by tag', () => {
  test('follows the node, and without an answer stays where it was', () => {
    expect(finalizedNumber({ rule: tag, head: 100n, tagged: 64n, previous: 32n })).toBe(64n)
    expect(finalizedNumber({ rule: tag, head: 100n, tagged: undefined, previous: 32n })).toBe(32n)
  })

  test('a tag ahead of what we have read ourselves counts only as far as we have read', () => {
    expect(finalizedNumber({ rule: tag, head: 100n, tagged: 101n, previous: 32n })).toBe(100n)
  })
})

test('never goes back, whatever the node says', () => {
  const number = fc.bigInt(0n, 1_000n)
  const rule = fc.oneof(fc.constant(tag), fc.integer({ min: 0, max: 200 }).map(depth))
  fc.assert(
    fc.property(rule, number, fc.option(number, { nil: undefined }), number, (any, head, tagged, previous) => {
      expect(finalizedNumber({ rule: any, head, tagged, previous }) >= previous).toBe(true)
    }),
  )
})
