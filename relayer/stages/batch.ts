import type { Address } from 'viem'
import { decideClose, paymentCountThatFits } from '../../core/batch.ts'
import { runsOf } from '../../core/chained.ts'
import { homeOf } from '../../core/config.ts'
import type { BatchKind, WaitingPayment } from '../../core/ports/batching.ts'
import { anchorOf } from '../../core/protocol/audit-record.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { fitToChain } from '../fit.ts'
import { startsAt } from '../mined-batch.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

const retryAfterMillis = 3_000
/** Looks for chained payments per batch: after each, payers whose turn it is not are passed over. */
const looksMax = 10

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

/** Pulls of one wallet in one batch: emptied in front of it, it makes all of them fail at our price. */
const pullsPerPayerMax = 16

function perPayer(payments: readonly WaitingPayment[], mode: Mode): readonly WaitingPayment[] {
  if (mode !== 'pull') return payments
  const counts = new Map<string, number>()
  return payments.filter(({ payer }) => {
    const count = (counts.get(payer) ?? 0) + 1
    counts.set(payer, count)
    return count <= pullsPerPayerMax
  })
}

async function close(context: StageContext, { token, mode }: BatchKind): Promise<readonly Next[]> {
  const { audit, batching, config, log, newId } = context
  const { chainId, vault } = config
  const countMax = paymentCountThatFits(config.batch)
  const cancels = mode !== 'independent' ? [] : await batching.cancels(chainId, vault, token, countMax)
  const payments =
    mode === 'chained'
      ? await continuing(context, token, countMax)
      : perPayer(await batching.payments(chainId, vault, { token, mode }, Math.max(0, countMax - cancels.length)), mode)
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

/**
 * Chained payments that continue what is on chain now; what comes after one that is on its way, or was set aside, waits for
 * it, and however much of that there is, it keeps no other payer out.
 */
async function continuing(
  { batching, chain, config }: StageContext,
  token: Address,
  countMax: number,
): Promise<readonly WaitingPayment[]> {
  const kind = { token, mode: 'chained' } as const
  const seen = new Set<Address>()
  const found: WaitingPayment[] = []
  for (let look = 0; look < looksMax && found.length < countMax; look++) {
    const room = countMax - found.length
    const waiting = await batching.payments(config.chainId, config.vault, kind, room, [...seen])
    if (waiting.length === 0) break
    const payers = [...new Set(waiting.map(({ payer }) => payer))]
    const { hash } = await chain.head()
    found.push(...runsOf(waiting, await startsAt({ chain }, token, payers, hash)).flat())
    for (const payer of payers) seen.add(payer)
    if (waiting.length < room) break
  }
  return found
}
