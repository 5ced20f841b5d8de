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
   * What a wallet holds and allows moves without an event of ours, so mode `pull` is read anew for each payment: raises or
   * lowers balance and allowance of a stored account, and leaves its nonces to finality. `asOfBlock`: the final block it was
   * read at or after; if finality has read the account at a later one since, that stands.
   */
  readonly refreshWallet: (
    account: VaultAccount,
    state: Pick<AccountState, 'balance' | 'allowance'>,
    asOfBlock: bigint,
  ) => Promise<void>
  /** Hands out an intent nonce until `expiresAt` (unix seconds), again the longest unsigned one if all are out; `full`: 64 payments are open. The account must be stored. */
  readonly reserveNonce: (
    account: VaultAccount,
    reservation: { readonly expiresAt: bigint; readonly nowSeconds: number },
  ) => Promise<bigint | 'full'>
  /** What the relayer has seen of a chain; undefined before its first block. */
  readonly view: (chainId: number, vault: Address) => Promise<ChainViewRecord | undefined>
}
