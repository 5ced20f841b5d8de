import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

test('every test that the threat model names exists', async () => {
  const named = [...(await read('docs/threat-model.md')).matchAll(/`(\w+)` `(test_\w+)`/g)]
  expect(named.length).toBeGreaterThan(50)
  const missing = await Promise.all(
    named.map(async ([, file = '', name = '']) => {
      const source = await read(`test/contracts/${file}.t.sol`)
      return source.includes(`function ${name}(`) ? [] : [`${file} ${name}`]
    }),
  )
  expect(missing.flat()).toEqual([])
})
