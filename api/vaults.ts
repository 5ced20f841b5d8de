import { setTimeout as sleep } from 'node:timers/promises'
import type { Address } from 'viem'
import { type ChainConfig, type Config, contractKey, contractsOf } from '../core/config.ts'
import { type Chain, ChainUnavailableError } from '../core/ports/chain.ts'
import type { Log } from '../core/ports/log.ts'
import { askedOf, disagreements } from '../core/vault-facts.ts'

/** Each wait is twice the one before, up to this. */
const waitMillisMax = 15_000
const waitMillisFirst = 500

type Pause = (millis: number) => Promise<void>

/**
 * Compares every vault with the configuration, so that nothing is promised for a wrong chain or contract. A chain that
 * does not answer is asked again until it does: how fresh its head is, the relayer says, who may use another node, so a
 * promise made unchecked could be a firm one. Nothing may be served before this resolves.
 * @throws Error with a sentence per disagreement: asking again would not help.
 */
export async function checkVaults({
  config,
  chains,
  authority,
  log,
  pause = sleep,
}: {
  readonly config: Config
  readonly chains: ReadonlyMap<string, Chain>
  /** Who certifies this process's acknowledgement keys. */
  readonly authority: Address
  readonly log: Log
  readonly pause?: Pause
}): Promise<void> {
  await Promise.all(
    config.chains.flatMap(contractsOf).map(async (each) => {
      const chain = chains.get(contractKey(each))
      if (chain === undefined) throw new Error(`There is no connection to ${each.vault} on chain ${each.chainId}.`)
      const facts = await askUntilAnswered(each, chain, { log, pause })
      const wrong = disagreements(each, facts, { senders: [], authority })
      if (wrong.length > 0) throw new Error(`Nothing is promised, because ${wrong.join('; ')}.`)
    }),
  )
}

async function askUntilAnswered(contract: ChainConfig, chain: Chain, { log, pause }: { log: Log; pause: Pause }) {
  const { chainId } = contract
  const asked = { ...askedOf(contract), senders: [] }
  for (let tries = 1; ; tries++) {
    try {
      return await chain.vaultFacts(asked)
    } catch (error) {
      if (!(error instanceof ChainUnavailableError)) throw error
      const waitMillis = Math.min(waitMillisMax, waitMillisFirst * 2 ** (tries - 1))
      log.warn(
        { chainId, tries, waitMillis, reason: error.message },
        'The vault could not be compared with the configuration; the API waits for its chain before it listens.',
      )
      await pause(waitMillis)
    }
  }
}
