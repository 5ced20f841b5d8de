import type { Address, Hex } from 'viem'
import type { AccountState } from '../account.ts'
import type { AuditedTx } from '../audit.ts'
import type { Market } from '../lane.ts'
import type { Mode } from '../protocol/taking.ts'
import type { VaultFacts } from '../vault-facts.ts'

export type Block = {
  readonly number: bigint
  readonly hash: Hex
  readonly parentHash: Hex /** Unix seconds. */
  readonly at: bigint
}

/** "Could not ask" is never "not there": what cannot be asked throws ChainUnavailableError, absent is an answer. */
export type Found<T> = { readonly outcome: 'found'; readonly value: T } | { readonly outcome: 'absent' }

export class ChainUnavailableError extends Error {
  constructor(question: string, { cause }: { cause?: unknown } = {}) {
    super(`The chain did not answer: ${question}`, { cause })
    this.name = 'ChainUnavailableError'
  }
}

/** One account of a settlement contract. */
export type AccountKey = { readonly payer: Address; readonly token: Address; readonly mode: Mode }

type Placed = { readonly blockNumber: bigint; readonly blockHash: Hex; readonly txHash: Hex; readonly logIndex: number }
/** Events of our own settlement contract, emitted by it. Anything else on chain is hearsay. */
export type VaultEvent = Placed &
  (
    | {
        readonly name: 'BatchSettled'
        readonly mode: Mode
        readonly anchor: Hex
        readonly token: Address
        readonly relayerId: number
        readonly paymentCount: number
        /** Payments and cancels, or runs of a chained batch: a bit each in `results`. */
        readonly bitCount: number
        readonly results: Hex
      }
    | {
        readonly name: 'OverdueSettled'
        readonly digest: Hex
        readonly payer: Address
        readonly payee: Address
        readonly token: Address
        readonly amount: bigint
        readonly nonce: bigint
        readonly orderRef: Hex
      }
    | ({ readonly name: 'Deposited' | 'Withdrawn'; readonly amount: bigint } & AccountKey)
    | { readonly name: 'Credited'; readonly payee: Address; readonly token: Address; readonly amount: bigint }
    | { readonly name: 'Claimed'; readonly payee: Address; readonly token: Address; readonly amount: bigint }
    /** Changes an account's word or what may be drawn on it, but moves no money: withdraw requests, relayer bindings. */
    | ({ readonly name: 'AccountChanged' } & AccountKey)
  )

export type MinedTx = Omit<AuditedTx, 'blockTime'> & { readonly input: Hex }

export type Simulation =
  | { readonly outcome: 'ran'; readonly results: Hex; readonly gasUsed: bigint }
  | { readonly outcome: 'reverted'; readonly reason: string }
  /** It does not fit one transaction. */
  | { readonly outcome: 'too_big'; readonly reason: string }

export type SendOutcome =
  | { readonly outcome: 'sent' }
  /** The node has it already: success. */
  | { readonly outcome: 'known' }
  /** A question to the chain, not a failure: one of our own attempts may have been mined. */
  | { readonly outcome: 'nonce_too_low' }
  | { readonly outcome: 'underpriced' }
  | { readonly outcome: 'refused'; readonly reason: string }

/** One chain and one settlement contract on it. Every read of state is pinned to a block hash. */
export type Chain = {
  readonly chainId: () => Promise<number>
  readonly head: () => Promise<Block>
  readonly blockByNumber: (number: bigint) => Promise<Found<Block>>
  readonly blockByHash: (hash: Hex) => Promise<Found<Block>>
  /** The node's finalized tag; absent where it has none. */
  readonly finalized: () => Promise<Found<Block>>
  /** In log order. Throws if the block is not (or no longer) known. */
  readonly events: (block: Block) => Promise<readonly VaultEvent[]>
  /** In the order of the payers. */
  readonly accounts: (
    of: Pick<AccountKey, 'mode' | 'token'>,
    payers: readonly Address[],
    atBlock: Hex,
  ) => Promise<readonly AccountState[]>
  /** The token's own counts of permits (EIP-2612), at the head, in the order of the owners: the nonces of their next ones. */
  readonly permitNonces: (token: Address, owners: readonly Address[]) => Promise<readonly bigint[]>
  readonly isPaused: (atBlock: Hex) => Promise<boolean>
  /** How much of each token the vault holds, by the token's own word: `balanceOf(vault)`. In the order of the tokens. */
  readonly holdings: (tokens: readonly Address[], atBlock: Hex) => Promise<readonly bigint[]>
  /** What the vault on chain says of itself, to compare with the configuration at start. */
  readonly vaultFacts: (about: {
    readonly tokens: readonly Address[]
    /** Of the tokens, those whose own EIP-712 domain is asked for. */
    readonly authorizing: readonly Address[]
    readonly senders: readonly Address[]
    readonly relayerId: number
  }) => Promise<VaultFacts>
  readonly simulate: (settlement: { readonly from: Address; readonly payload: Hex }) => Promise<Simulation>
  readonly market: () => Promise<Market>
  readonly balanceWei: (address: Address) => Promise<bigint>
  /** How many account nonces of `address` are used up, at the head or at a block. */
  readonly accountNonce: (address: Address, atBlock?: Hex) => Promise<number>
  /** A hint only: whether the node knows the transaction, and whether it failed when it was mined. */
  readonly receipt: (txHash: Hex) => Promise<
    Found<{
      readonly blockNumber: bigint
      readonly blockHash: Hex
      readonly isSuccess: boolean
      readonly gasUsed: bigint
    }>
  >
  /** Calldata and recipient of a mined or pooled transaction. */
  readonly transaction: (
    txHash: Hex,
  ) => Promise<Found<{ readonly to: Address | undefined; readonly from: Address; readonly input: Hex }>>
  /** All there is to say of a mined transaction, with the logs of the vault in it. */
  readonly mined: (txHash: Hex) => Promise<Found<MinedTx>>
  readonly send: (rawTx: Hex) => Promise<SendOutcome>
}
