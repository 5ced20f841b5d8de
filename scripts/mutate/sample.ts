import type { Mutant } from './mutant.ts'

/**
 * `count` mutants, the same for the same seed: of every guard the one that removes it, of every file at least `perFile`,
 * and the rest from files in turn, so that long files do not crowd out short ones.
 */
export function sample(all: readonly Mutant[], { seed, count }: { seed: number; count: number }): readonly Mutant[] {
  const shuffled = shuffle(all, randomFrom(seed))
  const chosen = new Set(shuffled.filter(({ kind }) => kind === 'guard'))
  const waiting = new Map<string, Mutant[]>()
  for (const mutant of shuffled) {
    if (chosen.has(mutant)) continue
    const key = `${mutant.file} ${mutant.kind}`
    waiting.set(key, [...(waiting.get(key) ?? []), mutant])
  }
  while (chosen.size < count && waiting.size > 0) {
    for (const [key, mutants] of waiting) {
      const next = mutants.pop()
      if (next === undefined) waiting.delete(key)
      else if (chosen.size < count) chosen.add(next)
    }
  }
  return all.filter((mutant) => chosen.has(mutant))
}

function shuffle<Item>(items: readonly Item[], random: () => number): readonly Item[] {
  return items
    .map((item) => ({ item, rank: random() }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ item }) => item)
}

/** Numbers from 0 to below 1. @see mulberry32, by Tommy Ettinger, public domain */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
