import { type Address, checksumAddress, type Hex } from 'viem'
import { findToken } from '../core/config.ts'
import { ChainUnavailableError, type VaultEvent } from '../core/ports/chain.ts'
import { decodeBatch, decodeResults } from '../core/protocol/packed.ts'
import { settlePayloadOf } from '../core/protocol/settle-calldata.ts'
import { domainOf, domainSeparator, paymentDigest } from '../core/protocol/typed-data.ts'
import type { StageContext } from './stage.ts'

/** A payment that a transaction we did not send has settled. Settled by another sender is settled. */
export type OutsidePayment = {
  readonly digest: Hex
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly txHash: Hex
  readonly blockNumber: bigint
  /** By `settleOverdue`, not in a batch. */
  readonly isOverdue: boolean
}

export type Touched = { readonly payer: Address; readonly token: Address }
/** `touched`: whose account words changed, by payments or by cancels. */
export type Outside = { readonly payments: readonly OutsidePayment[]; readonly touched: readonly Touched[] }

/**
 * Payments of a batch of our relayer id that we did not send (books restored from a backup, a key used elsewhere). Read
 * from its calldata, because the event carries only the result bits.
 * @throws Error if the tx went to another contract, whose calldata says nothing, or the calldata is no batch: then the
 * books must not move on.
 */
async function readOutsideBatch(
  { chain, config }: StageContext,
  event: VaultEvent & { readonly name: 'BatchSettled' },
): Promise<Outside> {
  const { txHash, blockNumber, token } = event
  const transaction = await chain.transaction(txHash)
  if (transaction.outcome === 'absent') throw new ChainUnavailableError(`the tx ${txHash}, whose event it just showed`)
  const { to, input } = transaction.value
  const payload = to === config.vault ? settlePayloadOf(input) : undefined
  const scale = findToken(config, token)?.scale
  if (payload === undefined || scale === undefined) {
    throw new Error(
      `tx ${txHash} settled for relayer ${config.relayerId}, but is no call of the vault with a batch of a listed token`,
    )
  }
  const { payments, cancels } = decodeBatch(payload, scale)
  const results = decodeResults(event.results, event.paymentCount + event.cancelCount)
  const separator = domainSeparator(domainOf({ chainId: config.chainId, vault: config.vault }))
  const settled = payments
    .filter((_, index) => results[index] === true)
    .map((payment) => ({
      digest: paymentDigest(separator, payment),
      payer: checksumAddress(payment.payer),
      payee: checksumAddress(payment.payee),
      ...{ token, amount: payment.amount, txHash, blockNumber, isOverdue: false },
    }))
  const payers = [...payments, ...cancels].map(({ payer }) => ({ payer: checksumAddress(payer), token }))
  return { payments: settled, touched: payers }
}

/** Everything in these events that was settled outside; `ownTxs` are the transactions of our own batches. */
export async function readOutside(
  context: StageContext,
  events: readonly VaultEvent[],
  ownTxs: ReadonlySet<Hex>,
): Promise<Outside> {
  const payments: OutsidePayment[] = []
  const touched: Touched[] = []
  for (const event of events) {
    if (event.name === 'OverdueSettled') {
      payments.push({ ...event, isOverdue: true })
      touched.push(event)
    }
    const isOurs = event.name === 'BatchSettled' && event.relayerId === context.config.relayerId
    if (!isOurs || ownTxs.has(event.txHash)) continue
    const batch = await readOutsideBatch(context, event)
    payments.push(...batch.payments)
    touched.push(...batch.touched)
  }
  return { payments, touched }
}
