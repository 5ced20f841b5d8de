import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../', import.meta.url))

/** The tests of one file that take arguments: what holds for any. */
export type PropertyFile = { readonly file: string; readonly names: readonly string[] }

export function findProperties(): readonly PropertyFile[] {
  return readdirSync(join(root, 'test/contracts'))
    .filter((name) => name.endsWith('.t.sol'))
    .map((name) => `test/contracts/${name}`)
    .map((file) => ({
      file,
      names: [...readFileSync(join(root, file), 'utf8').matchAll(/\bfunction (test\w+)\([^)]+\)/g)].map(
        ([, name = '']) => name,
      ),
    }))
    .filter(({ names }) => names.length > 0)
}

/** `Settle: ignores a used nonce`, of `test_ignores_aUsedNonce` in Settle.t.sol. */
export function sentenceOf(file: string, name: string): string {
  const words = name
    .replace(/\(.*/, '')
    .replace(/^test_/, '')
    .replaceAll('_', ' ')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return `${basename(file, '.t.sol')}: ${words}`
}
