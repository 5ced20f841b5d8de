import type { Address } from 'viem'
import type { CompactSignature } from '../protocol/packed.ts'

/** A payee that an app has proved to be its own. */
export type OwnedPayee = { readonly chainId: number; readonly payee: Address; readonly issuedAt: bigint }

export type Payees = {
  /**
   * Stores a proof whose signature was checked. It replaces that of any app if it was issued later; the very same proof
   * is stored once. `superseded`: one that was issued at the same time or later is known. `full`: the app owns `countMax`
   * others already; what it owns it can always prove anew.
   */
  readonly prove: (
    proof: OwnedPayee & { readonly appId: string; readonly signature: CompactSignature; readonly countMax: number },
  ) => Promise<
    | { readonly outcome: 'stored' }
    | { readonly outcome: 'superseded'; readonly issuedAt: bigint }
    | { readonly outcome: 'full' }
  >
  /** By chain id and address, ascending. `after`: what comes behind this one. */
  readonly list: (filter: {
    readonly appId: string
    readonly after: Pick<OwnedPayee, 'chainId' | 'payee'> | undefined
    readonly countMax: number
  }) => Promise<readonly OwnedPayee[]>
  /** Proofs that were issued up to `nowSeconds` are worth nothing from then on. Returns whether it was the app's. */
  readonly disown: (
    payee: Pick<OwnedPayee, 'chainId' | 'payee'> & { readonly appId: string; readonly nowSeconds: number },
  ) => Promise<boolean>
}
