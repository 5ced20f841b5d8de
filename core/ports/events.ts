import type { Hex } from 'viem'
import type { IntentState } from '../intent.ts'

/** One change of a payment's state, as everybody sees it. Never changed once it is there. */
export type IntentEvent = EventPosition & {
  /** The app that submitted the payment, and the payee's app at that moment. */
  readonly appId: string
  readonly payeeAppId: string | undefined
  readonly chainId: number
  readonly state: IntentState
  readonly reason: string | undefined
  readonly batchId: string | undefined
  readonly txHash: Hex | undefined
  readonly blockNumber: bigint | undefined
  readonly atMillis: number
}

/** Place in the order in which events are followed: by DB transaction, payment, sequence. */
export type EventPosition = {
  /** Number of the DB transaction that wrote it. */
  readonly xid: bigint
  readonly intentId: string
  /** 1, 2, 3, … per payment, without a gap. */
  readonly sequence: number
}

export type Events = {
  /** Of one payment after this sequence, in order; empty for an unknown id. */
  readonly of: (
    intentId: string,
    range: { readonly afterSequence: number; readonly countMax: number },
  ) => Promise<readonly IntentEvent[]>
  /** Before it is all that has ended for good; whoever follows from here hears all that comes, and nothing twice. */
  readonly now: () => Promise<EventPosition>
  /** In order. What an open DB transaction may still come before is not shown yet, so nobody passes it by. */
  readonly after: (position: EventPosition, countMax: number) => Promise<readonly IntentEvent[]>
  /** The same for what one app submitted or is paid by, up to and including `until`. */
  readonly ofApp: (
    appId: string,
    range: { readonly after: EventPosition; readonly until: EventPosition; readonly countMax: number },
  ) => Promise<readonly IntentEvent[]>
}
