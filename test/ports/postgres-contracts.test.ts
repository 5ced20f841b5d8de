import { describe, expect, test } from 'vitest'
import { createConfirmation } from '../../adapters/postgres/confirmation.ts'
import { createFinalization } from '../../adapters/postgres/finalization.ts'
import type { Block } from '../../core/ports/chain.ts'
import type { Confirmed } from '../../core/ports/confirmation.ts'
import { freshAddress } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const { database } = await postgresBooks()
const confirmation = createConfirmation(database)
const finalization = createFinalization(database)
const chainId = 31337
const hashOf = (number: bigint, salt = '') => `0x${`${salt}${number.toString(16)}`.padStart(64, '0')}` as const
const blockAt = (number: bigint, salt = ''): Block => ({
  ...{ number, hash: hashOf(number, salt), parentHash: hashOf(number - 1n, salt), at: 1_800_000_000n + number },
})

/** Two settlement contracts of one chain, followed from block 10. */
async function two() {
  const contracts = [freshAddress(), freshAddress()] as const
  for (const contract of contracts) await confirmation.start(chainId, contract, blockAt(10n), false)
  return contracts
}

async function walk(contract: `0x${string}`, confirmed: Pick<Confirmed, 'blocks' | 'commonAncestor'>) {
  const view = await confirmation.view(chainId, contract)
  if (view === undefined) throw new Error('it is not followed')
  const head = confirmed.blocks.at(-1) ?? blockAt(confirmed.commonAncestor)
  const nothing = { included: [], reverted: [], outside: [], isPaused: false }
  return confirmation.apply(chainId, contract, view, { ...nothing, ...confirmed, head })
}
const stored = async (contract: `0x${string}`, ...numbers: readonly bigint[]) => {
  const blocks = await Promise.all(numbers.map((number) => confirmation.storedBlock(chainId, contract, number)))
  return blocks.map((block) => block?.hash)
}

describe('two contracts of one chain', () => {
  test('follow it at their own pace, each with blocks of the same numbers', async () => {
    const [vault, settler] = await two()
    expect(await walk(vault, { commonAncestor: 10n, blocks: [blockAt(11n), blockAt(12n)] })).toBe('applied')
    expect(await stored(settler, 10n, 11n)).toEqual([hashOf(10n), undefined])
    expect(await walk(settler, { commonAncestor: 10n, blocks: [blockAt(11n, 'f')] })).toBe('applied')
    expect(await stored(vault, 10n, 11n, 12n)).toEqual([hashOf(10n), hashOf(11n), hashOf(12n)])
    expect(await stored(settler, 11n, 12n)).toEqual([hashOf(11n, 'f'), undefined])
    expect((await confirmation.view(chainId, vault))?.headNumber).toBe(12n)
    expect((await confirmation.view(chainId, settler))?.headNumber).toBe(11n)
  })

  test('go back alone when a block is reorged out', async () => {
    const [vault, settler] = await two()
    for (const contract of [vault, settler]) {
      await walk(contract, { commonAncestor: 10n, blocks: [blockAt(11n), blockAt(12n)] })
    }
    expect(await walk(vault, { commonAncestor: 11n, blocks: [blockAt(12n, 'e')] })).toBe('applied')
    expect(await stored(vault, 11n, 12n)).toEqual([hashOf(11n), hashOf(12n, 'e')])
    expect(await stored(settler, 11n, 12n)).toEqual([hashOf(11n), hashOf(12n)])
  })

  test('become final alone, and forget their own blocks only', async () => {
    const [vault, settler] = await two()
    for (const contract of [vault, settler]) {
      await walk(contract, { commonAncestor: 10n, blocks: [blockAt(11n), blockAt(12n)] })
    }
    const view = await finalization.view(chainId, vault)
    if (view === undefined) throw new Error('it is not followed')
    const nothing = { batches: [], outside: [], settling: [], entries: [], accounts: [] }
    expect(await finalization.apply(chainId, vault, view, { ...nothing, block: blockAt(12n) })).toBe('applied')
    expect(await stored(vault, 11n, 12n)).toEqual([undefined, hashOf(12n)])
    expect(await stored(settler, 11n, 12n)).toEqual([hashOf(11n), hashOf(12n)])
    const numbers = (await finalization.storedBlocks(chainId, settler, 10n, 12n)).map(({ number }) => number)
    expect(numbers).toEqual([11n, 12n])
    expect((await finalization.view(chainId, settler))?.finalizedNumber).toBe(10n)
  })
})
