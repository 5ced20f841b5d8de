import type { PrivateKeyAccount } from 'viem/accounts'
import { expect } from 'vitest'
import { showPayment } from '../../api/schemas/intent.ts'
import { signablePayment, type TypedDataJson } from '../../core/protocol/signable.ts'
import type { Taking } from '../../core/protocol/taking.ts'
import { domainOf, type Payment } from '../../core/protocol/typed-data.ts'
import { createClient } from '../../sdk/client.ts'
import type { Prepared, Terms } from '../../sdk/intent.ts'
import { createWallet } from '../../sdk/wallet.ts'
import { createWorld, serve } from './world.ts'

export type Lie = (honest: Prepared) => Prepared

export const thief = '0x000000000000000000000000000000000000dEaD'

/** Only what the wallet shows and signs is wrong. */
export const shown =
  (change: (typedData: TypedDataJson) => TypedDataJson): Lie =>
  (honest) => ({ ...honest, typedData: change(honest.typedData) })

/** In front of the real API: what it prepares, and what it asks to be signed for a cancel, passes through a liar. */
export async function createLiar() {
  const world = await createWorld()
  const facts = await world.clientOf('wallet').facts()
  const { chainId, token } = world
  const tokenDomain = { name: 'Demo US Dollar', version: '1', chainId, verifyingContract: token.address }
  let lie: (body: never) => object = (body) => body
  const { url } = await serve(async (request) => {
    const response = await world.app.fetch(request)
    const { pathname } = new URL(request.url)
    if (!/prepare$|cancel$/.test(pathname)) return response
    return Response.json(lie((await response.json()) as never), { status: response.status })
  })

  const clientOf = (app: 'wallet' | 'merchant') => createClient({ baseUrl: url, credentials: world.credentials(app) })
  function walletOf(account: PrivateKeyAccount) {
    const { provider, signed } = world.walletOf(account)
    return { wallet: createWallet({ client: clientOf('wallet'), facts, provider }), signed }
  }
  const say = <Body>(told: (honest: Body) => object) => {
    lie = told
  }
  return {
    ...{ world, facts, tokenDomain, clientOf, walletOf, say },
    /** A lie that fits itself: intent, typed data and digest all say the same wrong thing. */
    consistent:
      (
        change: Partial<Payment>,
        { contract, onChain = chainId, taking }: { contract?: string; onChain?: number; taking?: Partial<Taking> } = {},
      ): Lie =>
      (honest) => {
        const { intent } = honest
        const { payee, token, amount, nonce, sequence, deadline, orderRef, mode, means, previous } = intent
        const told = { payer: intent.payer, payee, token, orderRef } as Payment
        const numbers = { amount: BigInt(amount), nonce: BigInt(nonce ?? sequence ?? 0), deadline: BigInt(deadline) }
        const payment = { ...told, ...numbers, ...change }
        const taken = { mode, means, previous, ...taking } as Taking
        const vault = (contract ?? intent.contract) as Payment['payee']
        return {
          ...honest,
          intent: showPayment({ chainId: onChain, contract: vault, payment, taking: taken }),
          ...signablePayment(domainOf({ chainId: onChain, vault }), payment, taken, tokenDomain),
        }
      },
    /** Refused with the name of the field, and the wallet was not asked for any signature. */
    refused: async (account: PrivateKeyAccount, terms: Partial<Terms>, told: Lie, field: string): Promise<void> => {
      const { wallet, signed } = walletOf(account)
      say(told)
      const paying = wallet.pay(world.terms(account, terms))
      await expect(paying).rejects.toMatchObject({ name: 'SigningRefusedError', field })
      expect(signed).toEqual([])
    },
  }
}
