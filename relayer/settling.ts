import type { Hex } from 'viem'
import type { VaultEvent } from '../core/ports/chain.ts'
import type { FinalBatch, Finalization, SettlingTx } from '../core/ports/finalization.ts'
import type { OutsidePayment } from './outside.ts'
import type { StageContext } from './stage.ts'

/**
 * The txs in these events that settled for our relayer id, in the order of the chain: our batches, batches of our id
 * that others sent, and promised payments that somebody settled. Each payment that settled is in exactly one of them.
 */
export async function settlingTxs(
  context: StageContext,
  events: readonly VaultEvent[],
  batches: readonly FinalBatch[],
  outside: readonly OutsidePayment[],
): Promise<readonly SettlingTx[]> {
  const own = new Map(batches.map(({ id, txHash }) => [txHash, id]))
  const ours = await ourOverdue(context, events)
  const settling = new Map<Hex, SettlingTx>()
  for (const event of events) {
    const isOurs =
      (event.name === 'BatchSettled' && event.relayerId === context.config.relayerId && !isEmpty(event)) ||
      (event.name === 'OverdueSettled' && ours.has(event.digest))
    if (!isOurs || settling.has(event.txHash)) continue
    const { txHash, blockNumber, blockHash } = event
    const batchId = own.get(txHash)
    const settled = outside.filter((payment) => payment.txHash === txHash && batchId === undefined)
    const digests = settled
      .filter(({ isOverdue, digest }) => !isOverdue || ours.has(digest))
      .map(({ digest }) => digest)
    settling.set(txHash, { txHash, blockNumber, blockHash, batchId, digests })
  }
  return [...settling.values()]
}

/** The vault takes batches of nothing, too: they settle nothing, so no record has anything to say of them. */
export function isEmpty({ bitCount }: VaultEvent & { readonly name: 'BatchSettled' }): boolean {
  return bitCount === 0
}

/**
 * Digests of overdue payments that our relayer id had promised. The event does not name the relayer: those in our books
 * are ours, and of the others (books restored from a backup) those whose payer is bound to us in that block.
 */
export async function ourOverdue(
  {
    chain,
    config,
    finalization,
  }: Pick<StageContext, 'chain' | 'config'> & {
    readonly finalization: Pick<Finalization, 'unknown'>
  },
  events: readonly VaultEvent[],
): Promise<ReadonlySet<Hex>> {
  const overdue = events.filter((event) => event.name === 'OverdueSettled')
  if (overdue.length === 0) return new Set()
  const unknown = await finalization.unknown(overdue.map(({ digest }) => digest))
  const ours = new Set<Hex>()
  for (const { digest, token, payer, blockHash } of overdue) {
    if (unknown.has(digest)) {
      const [account] = await chain.accounts({ mode: 'independent', token }, [payer], blockHash)
      if (account?.relayerId !== config.relayerId) continue
    }
    ours.add(digest)
  }
  return ours
}
