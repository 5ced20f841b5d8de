import type { Address } from 'viem'
import { runsOf } from '../core/chained.ts'
import type { BatchKind, WaitingPayment } from '../core/ports/batching.ts'
import { startsAt } from './mined-batch.ts'
import type { StageContext } from './stage.ts'

/** Looks for chained payments per batch: after each, payers whose turn it is not are passed over. */
const looksMax = 10
/** Pulls of one wallet in one batch: emptied in front of it, it makes all of them fail at our price. */
const pullsPerPayerMax = 16

/** Of the payments that wait, those that may share the next batch, in the order in which its draft wants them. */
export async function nextPayments(
  context: StageContext,
  kind: BatchKind,
  countMax: number,
): Promise<readonly WaitingPayment[]> {
  if (kind.mode === 'chained') return continuing(context, kind.token, countMax)
  const { batching, config } = context
  const waiting = await batching.payments(config.chainId, config.vault, kind, countMax)
  return kind.mode === 'pull' ? waiting.filter(isAmongFirst()) : waiting
}

function isAmongFirst(): (payment: WaitingPayment) => boolean {
  const counts = new Map<Address, number>()
  return ({ payer }) => {
    const count = (counts.get(payer) ?? 0) + 1
    counts.set(payer, count)
    return count <= pullsPerPayerMax
  }
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
