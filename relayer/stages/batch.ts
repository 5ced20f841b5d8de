import { type Address, type Hex, keccak256, stringToHex } from 'viem'
import { decideClose, paymentCountThatFits } from '../../core/batch.ts'
import { findToken } from '../../core/config.ts'
import type { WaitingCancel, WaitingPayment } from '../../core/ports/batching.ts'
import { decodeResults, encodeBatch } from '../../core/protocol/packed.ts'
import { whyRefused } from '../../core/refused.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

/** Simulations per batch: each drops what the one before refused. */
const roundsMax = 4
/** Gas on top of the simulated figure: touching new slots may cost more in the block than it did in the simulation. */
const gasHeadroomPercent = 20n
const retryAfterMillis = 3_000

/** accepted → batched: groups what waits per token, simulates it, and binds it to one payload. */
export const batch: Stage = async (context) => {
  const { batching, config } = context
  const next: Next[] = []
  for (const waiting of await batching.waiting(config.chainId, config.vault)) {
    const decision = decideClose({ ...waiting, limits: config.batch })
    if (decision.outcome === 'wait') next.push({ stage: 'batch', delayMillis: decision.millis })
    else next.push(...(await close(context, waiting.token)))
  }
  return next
}

async function close(context: StageContext, token: Address): Promise<readonly Next[]> {
  const { batching, config, log, newId } = context
  const countMax = paymentCountThatFits(config.batch)
  const cancels = await batching.cancels(config.chainId, config.vault, token, countMax)
  const payments = await batching.payments(config.chainId, config.vault, token, Math.max(0, countMax - cancels.length))
  if (payments.length + cancels.length === 0) return []

  const id = newId('sb')
  const fitted = await fitToChain(context, { token, anchor: keccak256(stringToHex(id)), payments, cancels })
  if (fitted.outcome === 'unsettleable') {
    log.warn(
      { chainId: config.chainId, token, reason: fitted.reason },
      'the vault would refuse the whole batch: trying again later',
    )
    return [{ stage: 'batch', delayMillis: retryAfterMillis }]
  }
  if (fitted.outcome === 'empty') return []

  const outcome = await batching.create({
    id,
    chainId: config.chainId,
    vault: config.vault,
    token,
    anchor: fitted.anchor,
    payload: fitted.payload,
    gasLimit: fitted.gasLimit,
    paymentIds: fitted.payments.map((payment) => payment.id),
    cancelIds: fitted.cancels.map((cancel) => cancel.id),
  })
  if (outcome === 'raced') return [{ stage: 'batch' }]
  log.info(
    {
      batch: id,
      chainId: config.chainId,
      payments: fitted.payments.length,
      cancels: fitted.cancels.length,
      gasLimit: fitted.gasLimit,
    },
    'batched',
  )
  return [{ stage: 'submit' }, { stage: 'batch' }]
}

type Draft = {
  readonly token: Address
  readonly anchor: Hex
  readonly payments: readonly WaitingPayment[]
  readonly cancels: readonly WaitingCancel[]
}
type Fitted =
  | ({ readonly outcome: 'fits'; readonly payload: Hex; readonly gasLimit: bigint } & Draft)
  | { readonly outcome: 'empty' }
  | { readonly outcome: 'unsettleable'; readonly reason: string }

/** Simulates at the head and drops what the vault would refuse, and half of what is too much gas, until all of it settles. */
async function fitToChain(context: StageContext, draft: Draft): Promise<Fitted> {
  const { chain, config, signers, batching } = context
  const [signer] = signers
  const scale = findToken(config, draft.token)?.scale
  if (signer === undefined || scale === undefined)
    return { outcome: 'unsettleable', reason: `no signer or no scale for ${draft.token}` }

  let { payments, cancels } = draft
  for (let round = 0; round < roundsMax && payments.length + cancels.length > 0; round++) {
    const payload = encodeBatch({ token: draft.token, scale, anchor: draft.anchor, payments, cancels })
    const simulation = await chain.simulate({ from: signer.address, payload })
    if (simulation.outcome === 'reverted') return { outcome: 'unsettleable', reason: simulation.reason }

    const results = decodeResults(simulation.results, payments.length + cancels.length)
    const refused = payments.filter((_, index) => results[index] === false)
    const refusedCancels = cancels.filter((_, index) => results[payments.length + index] === false)
    if (refused.length + refusedCancels.length > 0) {
      await setAside(context, refused)
      await batching.refuseCancels(refusedCancels.map(({ id }) => id))
      payments = payments.filter((payment) => !refused.includes(payment))
      cancels = cancels.filter((cancel) => !refusedCancels.includes(cancel))
      continue
    }
    const gasLimit = (simulation.gasUsed * (100n + gasHeadroomPercent)) / 100n
    if (gasLimit <= config.batch.gasMax) return { outcome: 'fits', ...draft, payments, cancels, payload, gasLimit }
    payments = payments.slice(0, Math.floor(payments.length / 2))
  }
  return { outcome: 'empty' }
}

/** Keeps refused payments alive but apart, with the reason: only the chain, at finality, says that they are dead. */
async function setAside(context: StageContext, refused: readonly WaitingPayment[]): Promise<void> {
  const { chain, config, batching, log } = context
  if (refused.length === 0) return
  const head = await chain.head()
  const token = refused[0]?.token ?? config.vault
  const accounts = await chain.accounts(
    token,
    refused.map(({ payer }) => payer),
    head.hash,
  )
  const refusals = refused.map((payment, index) => {
    const account = accounts[index]
    const reason =
      account === undefined
        ? 'record_refused'
        : whyRefused({ payment, account, relayerId: config.relayerId, blockSeconds: head.at })
    return { id: payment.id, reason, retryAfterMillis }
  })
  await batching.refuse(refusals)
  for (const { id, reason } of refusals) log.warn({ intent: id, reason }, 'the vault would refuse this payment now')
}
