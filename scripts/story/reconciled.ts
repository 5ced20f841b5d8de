import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '../local/client.ts'
import type { Scene } from './scene.ts'
import type { BatchView } from './settle.ts'
import type { StepLines } from './terminal.ts'

type Totals = {
  readonly token: string
  readonly chain: {
    readonly settled: string
    readonly settledCount: number
    readonly held: string
    readonly holdings: string
  }
  readonly ledger: { readonly posted: string; readonly postedCount: number; readonly vault: string }
  readonly intents: { readonly finalized: string; readonly finalizedCount: number }
}
type Reconciliation = {
  readonly id: string
  readonly contract: string
  readonly fromBlock: string
  readonly toBlock: string
  readonly totals: readonly Totals[]
  readonly breakCount: number
  readonly openCount: number
}

const waitMillisMax = 30_000

/** The reconciliations that covered these batches, as an operator reads them. @throws Error at the first difference or break. */
export async function checkReconciled(
  { system, token, show }: Scene,
  batches: readonly BatchView[],
  { say, tell }: StepLines,
): Promise<void> {
  const operator = createClient(system.api, system.apps.operator)
  const covering = new Map<string, Reconciliation>()
  const startedMillis = performance.now()
  for (const { id, contract, blockNumber } of batches) {
    for (;;) {
      const found = await findCovering(operator, system.deployment.chainId, contract, BigInt(blockNumber ?? 0))
      if (found !== undefined) {
        covering.set(found.id, found)
        break
      }
      if (performance.now() - startedMillis > waitMillisMax) {
        throw new Error(`batch ${id} in block ${blockNumber} is not reconciled after ${waitMillisMax / 1000} s`)
      }
      say('waiting for the reconciliation')
      await sleep(100)
    }
  }
  for (const { id, contract, fromBlock, toBlock, totals, breakCount, openCount } of covering.values()) {
    const where = contract === system.deployment.vault ? 'the vault' : 'the pull settler'
    const found = totals.find((each) => each.token === token.address)
    if (found === undefined) throw new Error(`reconciliation ${id} has no totals of ${token.symbol}`)
    const { chain, ledger, intents } = found
    const sums = [chain.settled, ledger.posted, intents.finalized]
    const counts = [chain.settledCount, ledger.postedCount, intents.finalizedCount]
    const stands = [chain.held, chain.holdings, ledger.vault]
    const isEqual = [sums, counts, stands].every((each) => new Set<string | number>(each).size === 1)
    if (!isEqual || breakCount > 0 || openCount > 0) {
      throw new Error(
        `reconciliation ${id} found a difference: ${breakCount} new breaks, ${openCount} open; ${JSON.stringify(found)}`,
      )
    }
    tell(
      `reconciled blocks ${BigInt(fromBlock) + 1n} to ${toBlock}: ${show(BigInt(chain.settled))} in ${chain.settledCount} payments on chain = ledger = intents, ${show(BigInt(chain.holdings))} left in ${where}, 0 breaks (${id})`,
    )
  }
}

async function findCovering(
  operator: ReturnType<typeof createClient>,
  chainId: number,
  contract: string,
  block: bigint,
): Promise<Reconciliation | undefined> {
  const page = await operator.get<{ readonly items: readonly Reconciliation[] }>(
    `/v1/reconciliations?chainId=${chainId}&kind=range&limit=100`,
  )
  return page.items.find(
    (found) => found.contract === contract && BigInt(found.fromBlock) < block && block <= BigInt(found.toBlock),
  )
}
