import type { Hex } from 'viem'
import type { Difference } from './break.ts'
import { pairing } from './pairing.ts'
import type { Settlement } from './range-facts.ts'

/** One event that one endpoint is owed, or got. */
export type EventForEndpoint = { readonly intentId: string; readonly sequence: number; readonly endpointId: string }

export type DeliveryFacts = {
  /** Events of the finalized intents, for each endpoint that their apps had when the event happened. */
  readonly owed: readonly EventForEndpoint[]
  /** Deliveries that exist for these intents, whatever their state. */
  readonly made: readonly EventForEndpoint[]
}

/** Each event whose app had an endpoint has exactly one delivery to it; a delivery without such an event has no reason. */
export function compareDeliveries({ owed, made }: DeliveryFacts): readonly Difference[] {
  const factOf = ({ intentId, sequence, endpointId }: EventForEndpoint) => {
    const subject = `${intentId}/${sequence}/${endpointId}`
    return { key: subject, subject, token: undefined, text: 'a delivery' }
  }
  return pairing('delivery', owed.map(factOf), made.map(factOf))
}

/** What an audit record says that its tx paid: how many payments, and how much in all. */
export type AuditRecordFact = { readonly txHash: Hex; readonly count: number; readonly amount: bigint }

/** Each settling tx has exactly one audit record, with all its paid payments. */
export function compareAudit(
  settlements: readonly Settlement[],
  records: readonly AuditRecordFact[],
): readonly Difference[] {
  const factOf = ({ txHash, count, amount }: AuditRecordFact) => ({
    ...{ key: txHash, subject: txHash, token: undefined },
    text: `${count} payments over ${amount}`,
  })
  return pairing('audit', byTx(settlements).map(factOf), records.map(factOf))
}

/** A tx may settle several tokens; its record is one. */
function byTx(settlements: readonly AuditRecordFact[]): readonly AuditRecordFact[] {
  const sums = new Map<Hex, AuditRecordFact>()
  for (const { txHash, count, amount } of settlements) {
    const sofar = sums.get(txHash)
    sums.set(txHash, { txHash, count: count + (sofar?.count ?? 0), amount: amount + (sofar?.amount ?? 0n) })
  }
  return [...sums.values()]
}

/** A delivery or an audit record that is not fulfilled although it is older than its time. */
export type Overdue = { readonly id: string; readonly state: string; readonly ageHours: number }

/** @param ageHoursMax said in the difference; whoever asks has applied it. */
export function overdueDifferences(overdue: readonly Overdue[], ageHoursMax: number): readonly Difference[] {
  return overdue.map(({ id, state, ageHours }) => ({
    ...{ kind: 'obligation', subject: id, token: undefined },
    expected: `fulfilled within ${ageHoursMax} hours`,
    actual: `${state} after ${ageHours} hours`,
  }))
}
