import type { Address } from 'viem'
import type { BreakKind, Difference } from './break.ts'

/** One fact as one source tells it. Facts of two sources with the same `key` should say the same `text`. */
export type Fact = {
  readonly key: string
  readonly subject: string
  readonly token: Address | undefined
  readonly text: string
}

/**
 * Pairs what two sources tell, fact by fact: every fact has exactly one partner with the same key and text, or is a
 * difference. Twins count: a fact told twice by one source and once by the other is one difference.
 */
export function pairing(kind: BreakKind, expected: readonly Fact[], actual: readonly Fact[]): readonly Difference[] {
  const left = groupByKey(expected)
  const right = groupByKey(actual)
  return [...new Set([...left.keys(), ...right.keys()])].flatMap((key) =>
    pairOne(kind, left.get(key) ?? [], right.get(key) ?? []),
  )
}

function pairOne(kind: BreakKind, expected: readonly Fact[], actual: readonly Fact[]): readonly Difference[] {
  const rest = [...actual]
  const missing = expected.filter(({ text }) => {
    const at = rest.findIndex((each) => each.text === text)
    if (at === -1) return true
    rest.splice(at, 1)
    return false
  })
  return Array.from({ length: Math.max(missing.length, rest.length) }, (_, index): Difference => {
    const [wanted, found] = [missing[index], rest[index]]
    return {
      kind,
      subject: wanted?.subject ?? found?.subject ?? '',
      token: wanted?.token ?? found?.token,
      expected: wanted?.text,
      actual: found?.text,
    }
  })
}

function groupByKey(facts: readonly Fact[]): ReadonlyMap<string, readonly Fact[]> {
  const groups = new Map<string, Fact[]>()
  for (const fact of facts) {
    const group = groups.get(fact.key)
    if (group === undefined) groups.set(fact.key, [fact])
    else group.push(fact)
  }
  return groups
}
