import { decideClose, paymentCountThatFits } from '../../core/batch.ts'
import { homeOf } from '../../core/config.ts'
import type { BatchKind } from '../../core/ports/batching.ts'
import { anchorOf } from '../../core/protocol/audit-record.ts'
import { fitToChain } from '../fit.ts'
import { nextPayments } from '../next-payments.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

const retryAfterMillis = 3_000

/** accepted → batched: groups what waits per token, simulates it, and binds it to one payload. */
export const batch: Stage = async (context) => {
  const { batching, config, lanes, signers } = context
  // What no lane can take yet waits better unbound: it can still be cancelled, and it grows into a fuller batch.
  const takerCount = signers.filter(({ isRetiring }) => !isRetiring).length
  const others = [homeOf(config), config.pullSettler ?? []].flat().filter((each) => each !== config.vault)
  if ((await lanes.unassignedCount(config.chainId, others)) >= takerCount) return [{ stage: 'submit' }]

  const next: Next[] = []
  const countMax = paymentCountThatFits(config.batch)
  for (const waiting of await batching.waiting(config.chainId, config.vault, countMax)) {
    const decision = decideClose({ ...waiting, limits: config.batch })
    if (decision.outcome === 'wait') next.push({ stage: 'batch', delayMillis: decision.millis })
    else next.push(...(await close(context, waiting)))
  }
  return next
}

async function close(context: StageContext, { token, mode }: BatchKind): Promise<readonly Next[]> {
  const { audit, batching, config, log, newId } = context
  const { chainId, vault } = config
  const countMax = paymentCountThatFits(config.batch)
  const cancels = mode !== 'independent' ? [] : await batching.cancels(chainId, vault, token, countMax)
  const payments = await nextPayments(context, { token, mode }, Math.max(0, countMax - cancels.length))
  if (payments.length + cancels.length === 0) return []

  const id = newId('sb')
  const opening = await audit.head(chainId, vault)
  const anchorOfIt = anchorOf({ head: opening.head, batchId: id })
  const fitted = await fitToChain(context, { token, mode, anchor: anchorOfIt, payments, cancels })
  if (fitted.outcome === 'unsettleable') {
    log.warn({ chainId, token, reason: fitted.reason }, 'the vault would refuse the whole batch: trying again later')
    return [{ stage: 'batch', delayMillis: retryAfterMillis }]
  }
  if (fitted.outcome === 'empty') return [{ stage: 'batch', delayMillis: retryAfterMillis }]

  const { anchor, payload, gasLimit, bits } = fitted
  const bound = fitted.payments.map((payment, index) => ({ id: payment.id, bit: bits[index] ?? 0 }))
  const cancelIds = fitted.cancels.map((cancel) => cancel.id)
  const terms = { token, mode, anchor, opening, payload, gasLimit }
  const outcome = await batching.create({ id, chainId, vault, ...terms, payments: bound, cancelIds })
  if (outcome === 'raced') return [{ stage: 'batch' }]
  log.info({ batch: id, chainId, mode, payments: bound.length, cancels: cancelIds.length, gasLimit }, 'batched')
  return [{ stage: 'submit' }, { stage: 'batch' }]
}
