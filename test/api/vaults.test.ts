import { zeroAddress } from 'viem'
import { expect, test } from 'vitest'
import { checkVaults } from '../../api/vaults.ts'
import {
  configSchema,
  contractKey,
  deadlineAheadSecondsMax,
  pauseSecondsMax,
  withdrawDelaySeconds,
} from '../../core/config.ts'
import { type Chain, ChainUnavailableError } from '../../core/ports/chain.ts'
import { domainOf, domainSeparator } from '../../core/protocol/typed-data.ts'
import type { VaultFacts } from '../../core/vault-facts.ts'

const vault = `0x${'11'.repeat(20)}` as const
const config = configSchema.parse({
  chains: [
    {
      ...{ chainId: 31337, name: 'anvil', rpcUrls: ['http://127.0.0.1:1'], vault, relayerId: 1, blockSeconds: 1 },
      finality: { rule: 'tag' },
      tokens: [
        {
          ...{ address: `0x${'22'.repeat(20)}`, symbol: 'T', decimals: 6, scale: '1' },
          ...{ amountMin: '1', amountMax: '9', holdAbove: '9' },
        },
      ],
    },
  ],
})
const right: VaultFacts = {
  home: vault,
  chainId: 31337,
  domainSeparator: domainSeparator(domainOf({ chainId: 31337, vault })),
  pauseSecondsMax: BigInt(pauseSecondsMax),
  withdrawDelaySeconds: BigInt(withdrawDelaySeconds),
  deadlineAheadSecondsMax: BigInt(deadlineAheadSecondsMax),
  scales: [1n],
  relayerIds: [],
  acknowledger: zeroAddress,
  tokenSeparators: [],
}

/** A chain that gives these answers one after the other; nobody really waits. */
function check(...answers: readonly (VaultFacts | Error)[]) {
  const left = [...answers]
  const vaultFacts = async () => {
    const answer = left.shift()
    if (answer === undefined) throw new RangeError('asked once too often')
    if (answer instanceof Error) throw answer
    return answer
  }
  const [waits, lines]: [number[], object[]] = [[], []]
  const line = (facts: object) => void lines.push(facts)
  const done = checkVaults({
    config,
    chains: new Map([[contractKey({ chainId: 31337, vault }), { vaultFacts } as unknown as Chain]]),
    authority: zeroAddress,
    log: { debug: line, info: line, warn: line, error: line },
    pause: async (millis) => void waits.push(millis),
  })
  return { done, waits, lines, left }
}
const silence = new ChainUnavailableError('eth_chainId')

test('a chain that does not answer is asked until it does, each time after a longer wait, with a line for each', async () => {
  const { done, waits, lines, left } = check(...Array.from({ length: 7 }, () => silence), right)
  await expect(done).resolves.toBeUndefined()
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000])
  expect([lines.length, left.length]).toEqual([7, 0])
  expect(lines[6]).toMatchObject({ chainId: 31337, tries: 7, waitMillis: 15_000 })
})

test('what it says then is compared all the same', async () => {
  const { done } = check(silence, { ...right, scales: [10n] })
  await expect(done).rejects.toThrow(/Nothing is promised, because anvil: the scale of T is 10 on chain/)
})

test('a fault that is no silence is not waited for', async () => {
  const { done, waits } = check(new TypeError('a fault of ours'))
  await expect(done).rejects.toThrow('a fault of ours')
  expect(waits).toEqual([])
})
