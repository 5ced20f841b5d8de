/**
 * When a block counts as final. `tag`: the node's own finalized tag, for chains where it means consensus finality.
 * `depth`: so many blocks on top, for chains and nodes (Hardhat's says finalized = latest) where it does not.
 */
export type FinalityRule = { readonly rule: 'tag' } | { readonly rule: 'depth'; readonly depth: number }

/** The last final block number, never below `previous`: final never goes back. */
export function finalizedNumber({
  rule,
  head,
  tagged,
  previous,
}: {
  rule: FinalityRule
  head: bigint
  tagged: bigint | undefined
  previous: bigint
}): bigint {
  const now = rule.rule === 'depth' ? head - BigInt(rule.depth) : (tagged ?? previous)
  const bounded = now < head ? now : head
  return bounded > previous ? bounded : previous
}
