import { setTimeout as sleep } from 'node:timers/promises'
import type { hashTypedData } from 'viem'
import type { PaymentEvent } from '../../core/protocol/webhook.ts'
import { localAccounts } from '../local/accounts.ts'
import { bodyOf, type Client } from '../local/client.ts'
import type { AppCredentials } from '../local/system.ts'
import { type Receiver, startReceiver } from './receiver.ts'
import type { Acknowledged, Scene } from './scene.ts'
import type { StepLines } from './terminal.ts'

const waitMillisMax = 60_000
const endpointsPath = '/v1/webhooks/endpoints'

/** Who listens, and how they stop. */
export type Callbacks = {
  readonly receivers: Readonly<Record<'wallet' | 'merchant', Receiver>>
  readonly stop: () => Promise<void>
}

/** Both apps register an endpoint of their own; the merchants prove, with a signature each, that they belong to theirs. */
export async function listen({ system, wallet, merchant }: Scene, { tell }: StepLines): Promise<Callbacks> {
  const facts = await wallet.get<{ webhookKeys: readonly string[] }>('/.well-known/ice.json')
  const [ofWallet, ofMerchant] = [await startReceiver(facts.webhookKeys), await startReceiver(facts.webhookKeys)]
  const { apps } = system
  const leave = [await register(wallet, apps.wallet, ofWallet), await register(merchant, apps.merchant, ofMerchant)]
  const { chainId } = system.deployment
  await Promise.all(
    localAccounts.merchants.map(async (account) => {
      const payee = { chainId, payee: account.address }
      type Prepared = { readonly issuedAt: string; readonly typedData: Parameters<typeof hashTypedData>[0] }
      const { issuedAt, typedData } = bodyOf(await merchant.post<Prepared>('/v1/payees/prepare', payee))
      const signature = await account.signTypedData(typedData)
      bodyOf(await merchant.post('/v1/payees', { ...payee, issuedAt, signature }))
    }),
  )
  tell(
    `wallet and merchants register a webhook endpoint each; ${localAccounts.merchants.length} payees sign that they belong to the merchants’ app`,
  )
  return {
    receivers: { wallet: ofWallet, merchant: ofMerchant },
    stop: async () => {
      for (const each of leave) await each()
      await Promise.all([ofWallet.stop(), ofMerchant.stop()])
    },
  }
}

/** Endpoints of a story that was cut off lead nowhere and are removed first. Returns how to remove this one. */
async function register(
  client: Client,
  { id: appId }: AppCredentials,
  receiver: Receiver,
): Promise<() => Promise<void>> {
  const { items } = await client.get<{ items: readonly { id: string }[] }>(endpointsPath)
  for (const { id } of items) await client.remove(`${endpointsPath}/${id}`)
  const { id } = bodyOf(await client.post<{ id: string }>(endpointsPath, { url: receiver.url }))
  receiver.takeFor({ endpointId: id, appId })
  return () => client.remove(`${endpointsPath}/${id}`)
}

/** Waits until both apps know of every payment that it is final. @throws Error if one was told twice, wrongly or out of order. */
export async function callback(
  { receivers }: Callbacks,
  payments: readonly Acknowledged[],
  { say, tell }: StepLines,
): Promise<void> {
  const startedMillis = performance.now()
  for (const [name, { taken }] of Object.entries(receivers)) {
    const isFinal = (id: string) => taken.some(({ type, data }) => data.intent === id && type === 'payment.finalized')
    while (!payments.every(({ id }) => isFinal(id))) {
      if (performance.now() - startedMillis > waitMillisMax)
        throw new Error(`the ${name} was not told of every payment`)
      say(`${taken.length} webhooks at the ${name}`)
      await sleep(100)
    }
  }
  for (const [name, { taken, refusedCount }] of Object.entries(receivers)) {
    if (refusedCount() > 0) throw new Error(`${refusedCount()} webhooks at the ${name} were not signed for it`)
    for (const payment of payments) checkOrder(name, payment, taken)
    const perPayment = taken.length / payments.length
    tell(
      `${taken.length} webhooks to the ${name}, ${perPayment.toFixed(0)} per payment: each ed25519 signature and addressee checked, each payment in order without a gap`,
    )
  }
  const last = receivers.merchant.taken.findLast(({ type }) => type === 'payment.finalized')
  if (last === undefined) throw new Error('the merchant was told of nothing')
  const { intent, sequence, amount, reference, blockNumber } = last.data
  tell(`the merchant’s last: ${last.type} ${JSON.stringify({ intent, sequence, amount, reference, blockNumber })}`)
}

function checkOrder(name: string, { id }: Acknowledged, taken: readonly PaymentEvent[]): void {
  const sequences = taken.filter(({ data }) => data.intent === id).map(({ data }) => data.sequence)
  if (sequences.length === 0 || sequences.some((sequence, index) => sequence !== index + 1)) {
    throw new Error(`the ${name} was told of ${id} in the order ${sequences.join(', ')}`)
  }
}
