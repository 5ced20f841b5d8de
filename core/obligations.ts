import type { Hex } from 'viem'
import type { Agreement, Difference } from './break.ts'
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

/** What is not fulfilled although it is older than its time. */
export type Overdue =
  /** The next audit record of a vault, not built: all later ones wait for it. */
  | { readonly what: 'record'; readonly id: string }
  /** A record's copy, which its store has not given back. */
  | { readonly what: 'copy'; readonly id: string; readonly state: string }
  /** Deliveries that an endpoint has not taken; counted up to a limit of whoever asks. */
  | { readonly what: 'endpoint'; readonly id: string; readonly count: number; readonly isMore: boolean }

/**
 * Neither side says an age, which is another one every day: one that was accepted would be opened again.
 * @param ageHoursMax said in the difference; whoever asks has applied it.
 */
export function overdueDifferences(overdue: readonly Overdue[], ageHoursMax: number): readonly Difference[] {
  return overdue.map((each) => ({
    ...{ kind: 'obligation', subject: each.id, token: undefined },
    expected: `fulfilled within ${ageHoursMax} hours`,
    actual: stateOf(each),
  }))
}

/**
 * Of breaks that stand, those of which nothing is overdue any more: evidence that ends them.
 * @param overdue all there is; from a list that was cut nothing follows about what is not in it.
 */
export function fulfilledAgreements(subjects: readonly string[], overdue: readonly Overdue[]): readonly Agreement[] {
  const late = new Set(overdue.map(({ id }) => id))
  return subjects
    .filter((subject) => !late.has(subject))
    .map((subject) => ({ kind: 'obligation', subject, token: undefined, value: 'nothing is overdue' }))
}

function stateOf(overdue: Overdue): string {
  if (overdue.what === 'record') return 'not built'
  if (overdue.what === 'copy') return overdue.state
  return `${overdue.count}${overdue.isMore ? ' or more' : ''} deliveries not taken`
}
