import { type Address, decodeFunctionResult, encodeFunctionData, type Hex } from 'viem'
import { signableCancel, type TypedDataJson } from '../core/protocol/signable.ts'
import { domainOf } from '../core/protocol/typed-data.ts'
import { vaultAbi } from '../core/protocol/vault-abi.ts'
import { checkAcknowledgement, type Promised, type Unproven } from './acknowledgement.ts'
import { checkPrepared, deadlineOf, expectTypedData } from './check.ts'
import type { Client } from './client.ts'
import { IceError, IceUnreachableError, OutcomeUnknownError } from './errors.ts'
import { chainOf, type Facts } from './facts.ts'
import type { IntentView, Place, Prepared, Receipt, SignedPayment, Terms } from './intent.ts'
import { asked, type Provider, signWith } from './signing.ts'

export type { Provider, SignedPayment }

/** `promise` is undefined while it is held: nothing is promised then. `unproven`: it may be paid, but believe no promise. */
export type Submitted = Receipt & { readonly promise: Promised | Unproven | undefined }

export type Wallet = {
  readonly prepare: (terms: Terms) => Promise<Prepared>
  /**
   * Checks what was handed out against `terms` and the facts, then asks the wallet: once, or twice where a permit is needed.
   * @throws SigningRefusedError before the wallet is asked; WalletError if it gives no good signature
   */
  readonly sign: (terms: Terms, prepared: Prepared) => Promise<SignedPayment>
  /**
   * The same signed payment twice is one payment.
   * @throws OutcomeUnknownError if it may have been taken: it holds `signed`, to be submitted again
   */
  readonly submit: (signed: SignedPayment, options?: { readonly key?: string }) => Promise<Submitted>
  /** The three in a row. Called twice it pays twice, unless for an order, which is paid once at most. */
  readonly pay: (terms: Terms) => Promise<{ readonly signed: SignedPayment; readonly submitted: Submitted }>
  /** Needs credentials: a page watches with `watch` and `watchUrl` instead. */
  readonly read: (id: string) => Promise<IntentView>
  /**
   * Asks ICE to stop it. A collateralised payment takes the payer's signature, for which the wallet is asked, and the payee's
   * `consent`; without the latter ICE refuses with `cancel_consent_required`.
   */
  readonly cancel: (id: string, signed: SignedPayment, options?: { readonly consent?: Hex }) => Promise<IntentView>
  /** Where a chained account stands on chain, read through the wallet's own node. */
  readonly chainedPlace: (account: Pick<Terms, 'chainId' | 'payer' | 'token'>) => Promise<Place>
}

/** @param facts of the deployment, from where you trust. @param nowMillis the clock of this machine, by default */
export function createWallet({
  client,
  facts,
  provider,
  nowMillis = Date.now,
}: {
  readonly client: Client
  readonly facts: Facts
  readonly provider: Provider
  readonly nowMillis?: () => number
}): Wallet {
  const nowSeconds = () => Math.floor(nowMillis() / 1000)

  const prepare = (terms: Terms): Promise<Prepared> => {
    const { chainId, payer, payee, token, amount, order, mode, means } = terms
    const named = { chainId, payer, payee, token, amount: `${amount}`, order: order?.id, mode, means }
    return client.post<Prepared>('/v1/intents/prepare', named)
  }

  async function sign(terms: Terms, prepared: Prepared): Promise<SignedPayment> {
    const isPlaceNeeded = prepared.intent.mode === 'chained' && terms.continues === undefined
    const place = isPlaceNeeded ? await chainedPlace(terms) : undefined
    const checked = checkPrepared({ terms, prepared, facts }, { nowSeconds: nowSeconds(), place })
    const { intent, payment, paymentDigest, permit, next } = checked
    const permitted =
      permit === undefined
        ? {}
        : {
            permit: {
              ...{ value: permit.value, nonce: permit.nonce, deadline: permit.deadline },
              signature: await signWith(provider, terms.payer, permit),
            },
          }
    const signature = await signWith(provider, terms.payer, checked.signable)
    const order = terms.order === undefined ? {} : { order: terms.order.id }
    const submission = { intent, signature, ...order, ...permitted }
    return { submission, payment, paymentDigest, chainId: terms.chainId, mode: intent.mode, next }
  }

  async function submit(signed: SignedPayment, options: { readonly key?: string } = {}): Promise<Submitted> {
    const { submission, payment, paymentDigest, chainId } = signed
    const receipt = await client.post<Receipt>('/v1/intents', submission, options).catch((error: unknown) => {
      throw isOpen(error) ? new OutcomeUnknownError(signed, error) : error
    })
    const { acknowledgement } = receipt
    const about = { chainId, digest: paymentDigest, orderRef: payment.orderRef, facts }
    const promise = acknowledgement === null ? undefined : await checkAcknowledgement(acknowledgement, about)
    return { ...receipt, promise }
  }

  async function cancel(
    id: string,
    signed: SignedPayment,
    { consent }: { readonly consent?: Hex } = {},
  ): Promise<IntentView> {
    const path = `/v1/intents/${encodeURIComponent(id)}/cancel`
    try {
      return await client.post<IntentView>(path, {})
    } catch (error) {
      if (!(error instanceof IceError) || error.code !== 'cancel_signature_required') throw error
      const cancellation = await signCancel(signed, error.fields.typedData as TypedDataJson)
      return await client.post<IntentView>(path, { ...cancellation, consent })
    }
  }

  /** The nonce is the one that was signed, whatever was handed out: a cancel of another would end another payment. */
  async function signCancel({ payment, chainId }: SignedPayment, proposed: TypedDataJson) {
    const deadline = deadlineOf('deadline', proposed?.message?.deadline, nowSeconds())
    const domain = domainOf({ chainId, vault: chainOf(facts, chainId).vault })
    const { payer, token, nonce } = payment
    const signable = signableCancel(domain, { payer, token, nonce, deadline })
    expectTypedData('typedData', proposed, signable.typedData)
    return { signature: await signWith(provider, payer, signable), deadline: `${deadline}` }
  }

  async function chainedPlace({ chainId, payer, token }: { chainId: number; payer: Address; token: Address }) {
    const { vault } = chainOf(facts, chainId)
    const call = { abi: vaultAbi, functionName: 'chainedAccountOf' } as const
    const data = encodeFunctionData({ ...call, args: [payer, token] })
    const answer = (await asked(provider, 'eth_call', [{ to: vault, data }, 'latest'])) as Hex
    const { sequence, head } = decodeFunctionResult({ ...call, data: answer })
    return { sequence: BigInt(sequence), link: head }
  }

  return {
    prepare,
    sign,
    submit,
    pay: async (terms) => {
      const signed = await sign(terms, await prepare(terms))
      return { signed, submitted: await submit(signed) }
    },
    read: (id) => client.get<IntentView>(`/v1/intents/${encodeURIComponent(id)}`),
    cancel,
    chainedPlace,
  }
}

/** Whether an earlier try may have stored the payment: these answers are given without a look at what it did. */
function isOpen(error: unknown): boolean {
  if (error instanceof IceUnreachableError) return true
  if (!(error instanceof IceError)) return false
  return error.status >= 500 || error.code === 'rate_limited' || error.code === 'idempotency_in_flight'
}
