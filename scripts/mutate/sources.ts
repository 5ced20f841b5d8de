import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** What is put on a chain, and may be mutated: neither interfaces nor what only tests, demo and benchmarks deploy. */
export const mutableFiles: readonly string[] = [
  'contracts/PullSettler.sol',
  'contracts/Vault.sol',
  ...['lib', 'vault'].flatMap((folder) =>
    readdirSync(join(root, 'contracts', folder)).map((name) => `contracts/${folder}/${name}`),
  ),
].toSorted()

export const testFiles: readonly string[] = readdirSync(join(root, 'test/contracts'))
  .filter((name) => name.endsWith('.t.sol'))
  .map((name) => `test/contracts/${name}`)
  .toSorted()

/** A source by the name that the compiler has for it: a path from the root, or of a package. */
export function readSource(name: string): string {
  return readFileSync(join(root, name.startsWith('@') ? 'node_modules' : '', name), 'utf8')
}

const importPattern = /\bimport\s+(?:[^"';]*\bfrom\s+)?["']([^"']+)["']/g

function importsOf(name: string): readonly string[] {
  return [...readSource(name).matchAll(importPattern)].map(([, path = '']) =>
    path.startsWith('.') ? join(dirname(name), path) : path,
  )
}

/** Our files whose code holds code of `name`: what must be compiled anew when it changes. */
export function rootsWith(name: string): readonly string[] {
  return compiledRoots.filter((compiled) => closureOf(compiled).has(name))
}

const closures = new Map<string, ReadonlySet<string>>()

/** The file and all that it imports, over any number of steps. */
function closureOf(name: string): ReadonlySet<string> {
  const known = closures.get(name)
  if (known !== undefined) return known
  const seen = new Set<string>()
  const open = [name]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    open.push(...importsOf(next))
  }
  closures.set(name, seen)
  return seen
}

/** The contracts that tests deploy from the build, and tests that have code under test compiled into them. */
export const compiledRoots: readonly string[] = [
  'contracts/PullSettler.sol',
  'contracts/Vault.sol',
  ...testFiles.filter((test) => mutableFiles.some((file) => closureOf(test).has(file))),
]
