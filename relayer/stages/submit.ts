import { decideAttempt, firstBid, freeSlots, type Market, nextAccountNonce } from '../../core/lane.ts'
import type { LaneSigner } from '../../core/ports/lane-signer.ts'
import type { Lease, OpenAttempt } from '../../core/ports/lanes.ts'
import { settleCalldata } from '../../core/protocol/settle-calldata.ts'
import type { Next, Stage, StageContext } from '../stage.ts'

const leaseMillis = 10_000

/** batched → submitted: on every lane, first drive what is on its way, then take new batches. */
export const submit: Stage = async (context) => {
  // All lanes end before one may throw: custody that fails stops its own lane, and nothing runs on behind the stage.
  const outcomes = await Promise.allSettled(context.signers.map((signer) => driveLane(context, signer)))
  const [first, ...others] = outcomes.filter((outcome) => outcome.status === 'rejected')
  for (const { reason } of others) context.log.error({ err: reason }, 'another lane failed, too')
  if (first !== undefined) throw first.reason
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
}

async function driveLane(context: StageContext, signer: LaneSigner): Promise<readonly Next[]> {
  const { lanes, config, holder } = context
  const lease = await lanes.lease({ chainId: config.chainId, signer: signer.address }, holder, leaseMillis)
  if (lease === undefined) return []
  try {
    return await work(context, signer, lease)
  } finally {
    // Whichever process is woken next may drive the lane; a lease only outlives a crash.
    await lanes.release(lease, holder)
  }
}

async function work(context: StageContext, signer: LaneSigner, lease: Lease): Promise<readonly Next[]> {
  const { lanes, chain } = context
  const market = await chain.market()

  const open = await lanes.openAttempts(lease)
  for (const attempt of open) await drive(context, { lease, signer, market, attempt })

  const taken = signer.isRetiring ? 0 : await takeBatches(context, { lease, market, inFlight: open.length })
  if (taken > 0) {
    const known = new Set(open.map(({ id }) => id))
    for (const attempt of await lanes.openAttempts(lease)) {
      if (!known.has(attempt.id)) await drive(context, { lease, signer, market, attempt })
    }
  }
  return taken > 0 ? [{ stage: 'confirm' }] : []
}

type Drive = {
  readonly lease: Lease
  readonly signer: LaneSigner
  readonly market: Market
  readonly attempt: OpenAttempt
}

async function drive(context: StageContext, { lease, signer, market, attempt }: Drive): Promise<void> {
  const { lanes, config, log } = context
  if (await isNonceLost(context, lease, attempt)) {
    log.error(
      { batch: attempt.batchId, accountNonce: attempt.accountNonce, signer: signer.address },
      'a foreign tx used this account nonce: the batch gets another',
    )
    await lanes.loseNonce(lease, attempt.accountNonce)
    return
  }
  const decision = decideAttempt({ attempt, market, limits: config.lane })
  if (decision.action === 'sign') await signAndSend(context, lease, signer, attempt)
  else if (decision.action === 'send') await send(context, lease, attempt.id, attempt.rawTx)
  else if (decision.action === 'replace') {
    await lanes.replace(lease, { id: attempt.id, fees: decision.fees })
    const replacement = (await lanes.openAttempts(lease)).find(
      ({ accountNonce }) => accountNonce === attempt.accountNonce,
    )
    if (replacement?.state === 'prepared') await signAndSend(context, lease, signer, replacement)
    log.info(
      { batch: attempt.batchId, accountNonce: attempt.accountNonce, ...decision.fees },
      'replaced by a better paid attempt',
    )
  }
}

/** Stored before it is signed, stored before it is sent: after a crash at any line the same payload goes out again. */
async function signAndSend(
  context: StageContext,
  lease: Lease,
  signer: LaneSigner,
  attempt: OpenAttempt,
): Promise<void> {
  const signed = await signer.sign({
    chainId: context.config.chainId,
    accountNonce: attempt.accountNonce,
    to: attempt.vault,
    data: settleCalldata(attempt.payload),
    gasLimit: attempt.gasLimit,
    fees: attempt.fees,
  })
  const isStored = await context.lanes.storeSigned(lease, { id: attempt.id, ...signed })
  if (!isStored) return
  await send(context, lease, attempt.id, signed.rawTx)
}

async function send(context: StageContext, lease: Lease, id: string, rawTx: OpenAttempt['rawTx']): Promise<void> {
  if (rawTx === undefined) return
  const outcome = await context.chain.send(rawTx)
  if (outcome.outcome === 'refused') {
    context.log.warn({ attempt: id, reason: outcome.reason }, 'the node refused the tx: trying again later')
    return
  }
  // "Known" is success; "nonce too low" and "underpriced" mean that another attempt of ours is ahead: confirm will tell.
  await context.lanes.storeSent(lease, id)
}

/** A final block has used the nonce up, all its blocks were read, and none held an attempt of ours. */
async function isNonceLost(
  { chain, confirmation, config }: StageContext,
  lease: Lease,
  attempt: OpenAttempt,
): Promise<boolean> {
  if (attempt.state !== 'sent') return false
  if ((await chain.accountNonce(lease.signer)) <= attempt.accountNonce) return false
  const view = await confirmation.view(config.chainId, config.vault)
  return view !== undefined && (await chain.accountNonce(lease.signer, view.finalizedHash)) > attempt.accountNonce
}

async function takeBatches(
  { lanes, chain, config, log }: StageContext,
  { lease, market, inFlight }: { lease: Lease; market: Market; inFlight: number },
): Promise<number> {
  if ((await lanes.unassignedCount(config.chainId)) === 0) return 0
  const balanceWei = await chain.balanceWei(lease.signer)
  const isPoor = balanceWei < config.lane.balanceWeiMin
  await lanes.setPaused(lease, isPoor ? `balance ${balanceWei} wei is below ${config.lane.balanceWeiMin}` : undefined)
  if (isPoor) {
    log.error(
      { signer: lease.signer, balanceWei, balanceWeiMin: config.lane.balanceWeiMin },
      'the lane is out of gas money: top it up',
    )
    return 0
  }
  const countMax = freeSlots({ inFlight, balanceWei, limits: config.lane })
  const fees = firstBid(market, config.lane)
  if (countMax === 0) return 0
  if (fees === 'over_cap') {
    log.warn(
      { signer: lease.signer, ...market, cap: config.lane.maxFeePerGasWeiMax },
      'the market is above the fee cap: waiting',
    )
    return 0
  }
  const firstNonce = nextAccountNonce({
    chainCount: await chain.accountNonce(lease.signer),
    storedMax: await lanes.storedNonceMax(lease),
  })
  return lanes.allocate(lease, { firstNonce, countMax, fees })
}
