import { type Address, checksumAddress, type Hex } from 'viem'
import type { AccountKey, VaultEvent } from '../core/ports/chain.ts'
import type { Mode } from '../core/protocol/taking.ts'
import { isSettledPayment } from '../core/settled-batch.ts'
import { type BatchEvent, isOfOurBooks, readSettled } from './mined-batch.ts'
import type { StageContext } from './stage.ts'

/** A payment that a transaction we did not send has settled. Settled by another sender is settled. */
export type OutsidePayment = {
  readonly digest: Hex
  readonly mode: Mode
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly txHash: Hex
  readonly blockNumber: bigint
  /** By `settleOverdue`, not in a batch. */
  readonly isOverdue: boolean
}

/** `touched`: whose account words changed, by payments or by cancels. */
export type Outside = { readonly payments: readonly OutsidePayment[]; readonly touched: readonly AccountKey[] }

/**
 * Payments of a batch that we did not send: of our relayer id (books restored from a backup, a key used elsewhere), or pulled
 * by another relayer of the vault.
 * @throws Error if the calldata of one of our id cannot be read: then the books must not move on.
 */
async function readOutsideBatch(context: StageContext, event: BatchEvent): Promise<Outside> {
  const { txHash, blockNumber, token, relayerId } = event
  const batch = await readSettled(context, event)
  if (batch === undefined) {
    const what = `tx ${txHash} settled for relayer ${relayerId}, but is no call of the contract with a batch of a listed token`
    if (relayerId === context.config.relayerId) throw new Error(what)
    context.log.error({ txHash, relayerId }, 'what another relayer pulled cannot be read')
    return { payments: [], touched: [] }
  }
  const { mode, payments, cancels } = batch
  const settled = payments.filter(isSettledPayment).map(({ digest, payment: { payer, payee, amount } }) => ({
    ...{ digest, mode, payer, payee, token, amount, txHash, blockNumber, isOverdue: false },
  }))
  const touched = [
    ...payments.map(({ payment: { payer } }) => ({ payer, token, mode })),
    ...cancels.map(({ payer }) => ({ payer: checksumAddress(payer), token, mode })),
  ]
  return { payments: settled, touched }
}

/** Everything in these events that was settled outside; `ownTxs` are the transactions of our own batches. */
export async function readOutside(
  context: StageContext,
  events: readonly VaultEvent[],
  ownTxs: ReadonlySet<Hex>,
): Promise<Outside> {
  const payments: OutsidePayment[] = []
  const touched: AccountKey[] = []
  for (const event of events) {
    if (event.name === 'OverdueSettled') {
      const overdue = { ...event, mode: 'independent', isOverdue: true } as const
      payments.push(overdue)
      touched.push(overdue)
    }
    if (event.name !== 'BatchSettled' || !isOfOurBooks(context, event) || ownTxs.has(event.txHash)) continue
    const batch = await readOutsideBatch(context, event)
    payments.push(...batch.payments)
    touched.push(...batch.touched)
  }
  return { payments, touched }
}
