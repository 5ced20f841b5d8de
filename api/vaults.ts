import type { Address } from 'viem'
import type { Config } from '../core/config.ts'
import { type Chain, ChainUnavailableError } from '../core/ports/chain.ts'
import type { Log } from '../core/ports/log.ts'
import { disagreements } from '../core/vault-facts.ts'

/**
 * Compares every vault with the configuration, so that nothing is promised for a wrong chain or contract. A chain that
 * cannot be asked now is let pass with a warning: without a fresh head its payments get no firm promise anyway.
 * @throws Error with a sentence per disagreement.
 */
export async function checkVaults({
  config,
  chains,
  authority,
  log,
}: {
  readonly config: Config
  readonly chains: ReadonlyMap<number, Chain>
  /** Who certifies this process's acknowledgement keys. */
  readonly authority: Address
  readonly log: Log
}): Promise<void> {
  const found = await Promise.all(
    config.chains.map(async (each): Promise<readonly string[]> => {
      const chain = chains.get(each.chainId)
      if (chain === undefined) return []
      try {
        const tokens = each.tokens.map(({ address }) => address)
        const facts = await chain.vaultFacts({ tokens, senders: [], relayerId: each.relayerId })
        return disagreements(each, facts, { senders: [], authority })
      } catch (error) {
        if (!(error instanceof ChainUnavailableError)) throw error
        log.warn(
          { chainId: each.chainId, reason: error.message },
          'The vault could not be compared with the configuration.',
        )
        return []
      }
    }),
  )
  const wrong = found.flat()
  if (wrong.length > 0) throw new Error(`Nothing is promised, because ${wrong.join('; ')}.`)
}
