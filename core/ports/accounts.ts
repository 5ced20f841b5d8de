import type { Address, Hex } from 'viem'
import type { AccountState } from '../account.ts'
import type { BookedAccount } from '../admit.ts'
import type { Mode } from '../protocol/taking.ts'

export type VaultAccount = {
  readonly chainId: number
  readonly vault: Address
  readonly payer: Address
  readonly token: Address
  readonly mode: Mode
}

/** What the books say of one account; `asOfBlock` is the final block it was read at. */
export type AccountRecord = BookedAccount & { readonly asOfBlock: bigint }

/** A wallet at final block `asOfBlock` and at the head. Nothing changes if finality has read it later. */
export type WalletReading = {
  readonly final: Pick<AccountState, 'balance' | 'allowance'>
  readonly head: Pick<AccountState, 'balance' | 'allowance'>
  readonly asOfBlock: bigint
}

export type ChainViewRecord = {
  readonly headNumber: bigint
  readonly headHash: Hex
  /** Unix seconds of the head block. */
  readonly headAt: bigint
  readonly finalizedNumber: bigint
  readonly finalizedHash: Hex
  readonly finalizedAt: bigint
  readonly isPaused: boolean
  readonly observedAtMillis: number
}

export type Accounts = {
  readonly find: (account: VaultAccount) => Promise<AccountRecord | undefined>
  /**
   * Stores an account seen for the first time, read at final block `asOfBlock`. `stale`: finality has moved since (read
   * again). An account that is already stored is left as it is: only finalize changes it.
   */
  readonly introduce: (account: VaultAccount, state: AccountState, asOfBlock: bigint) => Promise<'stored' | 'stale'>
  /**
   * What a wallet holds and allows moves without an event of ours, so mode `pull` is read anew for each payment, and its
   * nonces are left to finality. With nothing reserved the head counts; else the larger of head and final block, because a
   * payment that is included and not final has left the head's balance, but is reserved still.
   */
  readonly refreshWallet: (account: VaultAccount, wallet: WalletReading) => Promise<void>
  /** Hands out an intent nonce until `expiresAt` (unix seconds), again the longest unsigned one if all are out; `full`: 64 payments are open. The account must be stored. */
  readonly reserveNonce: (
    account: VaultAccount,
    reservation: { readonly expiresAt: bigint; readonly nowSeconds: number },
  ) => Promise<bigint | 'full'>
  /** What the relayer has seen of a chain; undefined before its first block. */
  readonly view: (chainId: number, vault: Address) => Promise<ChainViewRecord | undefined>
}
