import { expect, test } from 'vitest'
import { readExplanations } from '../../scripts/mutate/explanations.ts'
import { findingMutants } from '../../scripts/mutate/findings.ts'
import { applied, mutantsOf } from '../../scripts/mutate/mutant.ts'
import { sample } from '../../scripts/mutate/sample.ts'
import { mutableFiles, readSource } from '../../scripts/mutate/sources.ts'

const sources = Object.fromEntries(mutableFiles.map((file) => [file, readSource(file)]))
const all = mutantsOf(sources)

test('a mutant changes its line and nothing else, and has a name of its own', () => {
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  for (const mutant of all) {
    const source = sources[mutant.file] ?? ''
    const changed = applied(mutant, source)
    expect(changed).not.toBe(source)
    expect(changed.split('\n').slice(0, mutant.line - 1)).toEqual(source.split('\n').slice(0, mutant.line - 1))
  }
})

test('every sample holds the removal of every guard and mutants of every file, and the same seed the same sample', () => {
  const guards = all.filter(({ kind }) => kind === 'guard')
  for (const seed of [1, 2, 3]) {
    const chosen = sample(all, { seed, count: 150 })
    expect(chosen).toEqual(sample(all, { seed, count: 150 }))
    expect(chosen.length).toBe(150)
    expect(guards.filter((guard) => !chosen.includes(guard))).toEqual([])
  }
  const files = sample(all, { seed: 1, count: 300 }).map(({ file }) => file)
  expect(mutableFiles.filter((file) => !files.includes(file))).toEqual([])
  expect(sample(all, { seed: 1, count: 300 })).not.toEqual(sample(all, { seed: 2, count: 300 }))
})

test('what findings take out is still there, and what is explained is still a mutant', () => {
  expect(new Set(findingMutants().map(({ id }) => id.replace(/.* \| ([\w-]+): .*/, '$1'))).size).toBe(10)
  const ids = new Set(all.map(({ id }) => id))
  expect([...readExplanations().keys()].filter((id) => !ids.has(id))).toEqual([])
})
