import type { Address } from 'viem'
import { createClient } from '../client.ts'
import type { Facts } from '../facts.ts'
import type { Terms } from '../intent.ts'
import { createWallet, type Provider } from '../wallet.ts'
import { watch } from '../watch.ts'

/**
 * Pays one order from a page in a wallet's browser. True once it is final.
 * @param provider `window.ethereum`
 * @param facts of the deployment, shipped with the page
 * @param order what the page shows its user, as your own backend said it
 * @param backend your own, see backend.ts: the page has no credentials
 */
export async function payOrder({
  provider,
  facts,
  order,
  backend,
  show,
}: {
  provider: Provider
  facts: Facts
  order: Omit<Terms, 'payer'>
  backend: string
  show: (state: string) => void
}): Promise<boolean> {
  const [payer] = (await provider.request({ method: 'eth_requestAccounts' })) as Address[]
  if (payer === undefined) throw new Error('the wallet has no account for this page')
  const wallet = createWallet({ client: createClient({ baseUrl: backend }), facts, provider })
  const { submitted } = await wallet.pay({ ...order, payer })
  let state = submitted.state
  for await (const change of watch(submitted.watchUrl)) {
    state = change.state
    show(state)
  }
  return state === 'finalized'
}
