import type { Address } from 'viem'
import type { TokenConfig } from '../core/config.ts'
import type { Refusal } from '../core/errors.ts'
import type { Taking } from '../core/protocol/taking.ts'
import { zeroOrderRef } from '../core/protocol/typed-data.ts'
import { screen } from '../core/screen.ts'
import type { KnownContract } from './chains.ts'

export type ScreenedTerms = { readonly outcome: 'ok'; readonly token: TokenConfig; readonly deadline: bigint } | Refusal

/**
 * What accept would say of these terms, before anybody signs: the same checks, on the payment that `prepare` would
 * propose now. Without a payer (an order) only the payer's part is left open.
 */
export function screenTerms(
  { config }: KnownContract,
  {
    payer,
    payee,
    token,
    amount,
    taking,
  }: { payer: Address | undefined; payee: Address; token: Address; amount: bigint; taking: Taking },
  nowSeconds: number,
): ScreenedTerms {
  const deadline = BigInt(nowSeconds + config.promise.prepareSeconds)
  // The vault pays nobody from its own account: as a payer it stands for "anyone" and can equal no payee that passes.
  const payment = { payer: payer ?? config.vault, payee, token, amount, nonce: 0n, deadline, orderRef: zeroOrderRef }
  const screened = screen({ chain: config, contract: config.vault, payment, taking, nowSeconds })
  return screened.outcome === 'refused' ? screened : { outcome: 'ok', token: screened.token, deadline }
}
