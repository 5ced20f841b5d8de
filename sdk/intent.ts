import type { Address, Hex } from 'viem'
import type { TypedDataJson } from '../core/protocol/signable.ts'
import type { Means, Mode } from '../core/protocol/taking.ts'
import type { Guarantee, Payment } from '../core/protocol/typed-data.ts'
import type { PaymentEventState } from '../core/protocol/webhook.ts'

/** A payment as it is on the wire: what was signed, and for which contract. Numbers are decimal strings. */
export type IntentJson = {
  readonly chainId: number
  readonly contract: string
  readonly mode: Mode
  readonly payer: string
  readonly payee: string
  readonly token: string
  readonly amount: string
  readonly nonce?: string | undefined
  readonly sequence?: string | undefined
  readonly previous?: string | undefined
  readonly means?: Means | undefined
  readonly deadline: string
  readonly orderRef: string
}

/** What `prepare` answers. None of it is believed before it was checked, see `checkPrepared`. */
export type Prepared = {
  readonly intent: IntentJson
  readonly typedData: TypedDataJson
  readonly digest: string
  readonly expiresAt: string
  readonly order: string | null
  readonly warnings: readonly {
    readonly code: string
    readonly detail: string
    readonly available: string
    readonly amount: string
    readonly missing: string
  }[]
  readonly permit: {
    readonly value: string
    readonly nonce: string
    readonly deadline: string
    readonly typedData: TypedDataJson
    readonly digest: string
  } | null
}

/** What is sent: the payment, its signature, and a permit where the allowance was short. */
export type Submission = {
  readonly intent: IntentJson
  readonly signature: Hex
  readonly order?: string
  readonly permit?: {
    readonly value: string
    readonly nonce: string
    readonly deadline: string
    readonly signature: Hex
  }
}

export type AcknowledgementJson = {
  readonly paymentDigest: string
  readonly orderHash: string
  readonly fee: string
  readonly guarantee: Guarantee
  readonly acceptedAt: string
  readonly settleBy: string
  readonly proof: readonly string[]
  readonly root: string
  readonly rootSignature: string
  readonly key: {
    readonly relayerId: number
    readonly key: string
    readonly notBefore: string
    readonly notAfter: string
    readonly authority: string
    readonly signature: string
  }
}

/** What ICE decided of a submission. */
export type Receipt = {
  readonly id: string
  readonly state: string
  readonly digest: string
  readonly reason: string | null
  readonly guarantee: Guarantee | null
  readonly acknowledgement: AcknowledgementJson | null
  /** The stream of its states, for `watch`. Whoever has the link may watch. */
  readonly watchUrl: string
}
/** A payment as ICE has it. */
export type IntentView = Receipt & {
  readonly intent: IntentJson
  readonly order: string | null
  readonly batch: { readonly id: string; readonly index: number } | null
  readonly settled: { readonly tx: string; readonly block: string } | null
  readonly createdAt: string
}

/** After these nothing comes. Only `finalized` means paid. */
export const terminalStates = [
  'finalized',
  'rejected',
  'failed',
  'expired',
  'cancelled',
] as const satisfies readonly PaymentEventState[]

/** Where a chained account stands: its last payment and the link that the next one signs as `previous`, 16 bytes. */
export type Place = { readonly sequence: bigint; readonly link: Hex }

/** What the user agreed to, from the page or app that shows it, never from ICE. */
export type Terms = {
  readonly chainId: number
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  /** Atomic units. */
  readonly amount: bigint
  /** As the merchant's backend got it from `createOrder`. */
  readonly order?: { readonly id: string; readonly orderRef: string }
  /** Without it ICE picks one that the payer has money for. */
  readonly mode?: Mode
  readonly means?: Means
  /** Most that a permit may let the pull settler take, in atomic units. By default `amount`; other open pulls need more. */
  readonly permitValueMax?: bigint
  /** Mode chained: the place of the last payment that this wallet signed. By default it is read from the vault. */
  readonly continues?: Place
}

/** A payment that the user has signed. Keep it until it is final: with it you ask again, prove and cancel. */
export type SignedPayment = {
  readonly submission: Submission
  readonly payment: Payment
  readonly paymentDigest: Hex
  readonly chainId: number
  readonly mode: Mode
  /** Mode chained: `continues` of the next payment. */
  readonly next?: Place | undefined
}
