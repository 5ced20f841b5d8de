import type { Address, Hex } from 'viem'
import type { ChainConfig } from '../config.ts'
import type { IntentState } from '../intent.ts'
import type { CompactSignature } from '../protocol/packed.ts'
import type { Taking } from '../protocol/taking.ts'
import type { Payment } from '../protocol/typed-data.ts'
import type { SignedAcknowledgement } from './intake.ts'
import type { Page, PageRequest } from './page.ts'

/** One payment as its app sees it. */
export type IntentRecord = {
  readonly id: string
  readonly appId: string
  readonly chainId: number
  readonly vault: Address
  readonly payment: Payment
  readonly taking: Taking
  readonly digest: Hex
  readonly orderId: string | undefined
  /** App of the order, if it pays one: that is the payee's app, and may see the payment too. */
  readonly orderAppId: string | undefined
  /** App that proved that the payee is its own; it may see the payment too. */
  readonly payeeAppId: string | undefined
  readonly state: IntentState
  readonly reason: string | undefined
  readonly acknowledgement: SignedAcknowledgement | undefined
  readonly batchId: string | undefined
  /** Its bit in the batch's results; payments of a chained run share one. */
  readonly batchIndex: number | undefined
  readonly settledTx: Hex | undefined
  readonly settledBlock: bigint | undefined
  readonly createdAtMillis: number
}

/** Which payments a list shows; a field that is undefined leaves nothing out. */
export type IntentQuery = PageRequest & {
  /** Only what this app may see: what it submitted, what pays its orders, what pays payees that it owns. */
  readonly visibleTo: string | undefined
  readonly state: IntentState | undefined
  readonly payer: Address | undefined
  readonly payee: Address | undefined
  readonly token: Address | undefined
  readonly chainId: number | undefined
  readonly orderId: string | undefined
  readonly batchId: string | undefined
}

export type HoldDecision =
  | { readonly outcome: 'decided'; readonly state: IntentState }
  | { readonly outcome: 'not_found' }
  | { readonly outcome: 'not_held'; readonly state: IntentState }
  /** Too close to its deadline, or past it: a promise could not be kept. It ends as `expired` when that is final. */
  | { readonly outcome: 'expired'; readonly deadline: bigint }

export type CancelOutcome =
  | { readonly outcome: 'cancelling' }
  /** It is collateralised (a hold may have been released meanwhile), and not all that takes was checked. */
  | { readonly outcome: 'promised' }
  | { readonly outcome: 'not_cancellable'; readonly state: IntentState }
  /** A chained payment that another one follows: it would take that one down with it. */
  | { readonly outcome: 'followed' }

export type Intents = {
  readonly find: (id: string) => Promise<IntentRecord | undefined>
  readonly list: (query: IntentQuery) => Promise<Page<IntentRecord>>
  /** By id, of those that exist. For as many as a page holds. */
  readonly states: (ids: readonly string[]) => Promise<ReadonlyMap<string, IntentState>>
  /**
   * held → accepted, with a fresh acknowledgement whose promise is decided now, or held → rejected, which frees the
   * reservation (nobody but us could have settled it; a pull is cancelling instead). Writes the op-log in the same DB transaction.
   */
  readonly release: (hold: {
    readonly id: string
    readonly chain: ChainConfig
    readonly operatorId: string
    readonly note: string | undefined
    readonly nowSeconds: number
  }) => Promise<HoldDecision>
  readonly reject: (hold: {
    readonly id: string
    readonly operatorId: string
    readonly note: string | undefined
  }) => Promise<HoldDecision>
  /**
   * held or accepted → cancelling: it is never batched from then on, and its reservation stays until its signature is
   * dead. With `cancel`, a record goes on chain that burns the nonce at once.
   */
  readonly cancel: (request: {
    readonly id: string
    readonly reason: string
    /** The payer's Cancel and the payee's consent were checked: what a collateralised payment takes. */
    readonly isConsented: boolean
    readonly cancel: { readonly signature: CompactSignature; readonly deadline: bigint } | undefined
  }) => Promise<CancelOutcome>
}
