import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

type Explanation = { readonly why: string; readonly mutants: readonly string[] }

/** Why no test can or need tell a mutant from the contracts, by the mutant's id. */
export function readExplanations(): ReadonlyMap<string, string> {
  const path = fileURLToPath(new URL('./explanations.json', import.meta.url))
  const listed: readonly Explanation[] = JSON.parse(readFileSync(path, 'utf8'))
  return new Map(listed.flatMap(({ why, mutants }) => mutants.map((id) => [id, why] as const)))
}
