import type { Address } from 'viem'
import {
  decideAttempt,
  type Fees,
  firstBid,
  freeSlots,
  isSendDue,
  type Market,
  nextAccountNonce,
  occupancy,
} from '../../core/lane.ts'
import type { LaneSigner } from '../../core/ports/lane-signer.ts'
import type { Lease, OpenAttempt, SignedAttempt } from '../../core/ports/lanes.ts'
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

/** One lane in one run. */
type Lane = { readonly lease: Lease; readonly signer: LaneSigner; readonly market: Market }

async function work(context: StageContext, signer: LaneSigner, lease: Lease): Promise<readonly Next[]> {
  const { lanes, chain } = context
  const lane = { lease, signer, market: await chain.market() }
  const open = await lanes.openAttempts(lease)
  const live = await loseNonces(context, lane, open)
  // It takes nothing new, where its gas money would be looked at; what is bound to it needs some all the same.
  if (signer.isRetiring && live.length > 0) await checkBalance(context, lease)
  const fault = await driveAll(context, lane, live)
  if (fault !== undefined) throw fault.error
  const taken = signer.isRetiring ? 0 : await takeBatches(context, lane, live)
  return taken > 0 ? [{ stage: 'confirm' }] : []
}

/** What custody failed with. */
type Fault = { readonly error: unknown }

/**
 * In the order of account nonces. Custody that fails is not asked again in this run, for it may take its whole time limit
 * to fail; what is signed already goes out all the same.
 */
async function driveAll(
  context: StageContext,
  lane: Lane,
  attempts: readonly OpenAttempt[],
): Promise<Fault | undefined> {
  let fault: Fault | undefined
  for (const attempt of attempts) {
    fault ??= await drive(context, lane, attempt)
    if (fault !== undefined) await resend(context, lane, attempt)
  }
  return fault
}

async function drive(context: StageContext, lane: Lane, attempt: OpenAttempt): Promise<Fault | undefined> {
  const { lanes, config, log } = context
  const { lease, market } = lane
  const decision = decideAttempt({ attempt, market, limits: config.lane })
  if (decision.action === 'sign') return signAndSend(context, lane, attempt)
  if (decision.action === 'send' && attempt.signed !== undefined) await send(context, lease, attempt.signed)
  if (decision.action !== 'replace') return undefined
  await lanes.replace(lease, { id: attempt.id, fees: decision.fees })
  const replacement = (await lanes.openAttempts(lease)).find(
    ({ accountNonce }) => accountNonce === attempt.accountNonce,
  )
  const fault = replacement?.state === 'prepared' ? await signAndSend(context, lane, replacement) : undefined
  if (fault !== undefined) return fault
  log.info(
    { batch: attempt.batchId, accountNonce: attempt.accountNonce, ...decision.fees },
    'replaced by a better paid attempt',
  )
  return undefined
}

/** What stands in for an attempt that cannot be signed: the one before it is as valid as ever. */
async function resend(context: StageContext, { lease }: Lane, { signed }: OpenAttempt): Promise<void> {
  if (signed !== undefined && isSendDue(signed, context.config.lane)) await send(context, lease, signed)
}

/** Stored before it is signed, stored before it is sent: after a crash at any line the same payload goes out again. */
async function signAndSend(
  context: StageContext,
  { lease, signer }: Lane,
  attempt: OpenAttempt,
): Promise<Fault | undefined> {
  const { id, accountNonce, vault: to, gasLimit, fees } = attempt
  const data = settleCalldata(attempt.payload)
  const { chainId } = context.config
  const signing = await signer.sign({ chainId, accountNonce, to, data, gasLimit, fees }).then(
    (signed) => ({ outcome: 'signed', ...signed }) as const,
    (error: unknown) => ({ outcome: 'failed', error }) as const,
  )
  if (signing.outcome === 'failed') return { error: signing.error }
  const { rawTx, hash } = signing
  if (await context.lanes.storeSigned(lease, { id, rawTx, hash })) await send(context, lease, { id, rawTx })
  return undefined
}

async function send(
  context: StageContext,
  lease: Lease,
  { id, rawTx }: Pick<SignedAttempt, 'id' | 'rawTx'>,
): Promise<void> {
  const outcome = await context.chain.send(rawTx)
  if (outcome.outcome === 'refused') {
    context.log.warn({ attempt: id, reason: outcome.reason }, 'the node refused the tx: trying again later')
    return
  }
  // "Known" is success; "nonce too low" and "underpriced" mean that another attempt of ours is ahead: confirm will tell.
  await context.lanes.storeSent(lease, id)
}

/**
 * Gives up account nonces that a foreign tx has used: a final block has used them up, all its blocks were read, and none
 * held an attempt of ours. Whether an attempt was sent does not matter. @returns the attempts whose nonces live.
 */
async function loseNonces(
  { chain, confirmation, config, lanes, log }: StageContext,
  { lease, signer }: Lane,
  open: readonly OpenAttempt[],
): Promise<readonly OpenAttempt[]> {
  const [first] = open
  if (first === undefined || (await chain.accountNonce(lease.signer)) <= first.accountNonce) return open
  // A lane carries batches of several contracts, and each contract's blocks are read by themselves.
  const finalCounts = new Map<Address, number>()
  for (const vault of new Set(open.map((attempt) => attempt.vault))) {
    const view = await confirmation.view(config.chainId, vault)
    finalCounts.set(vault, view === undefined ? 0 : await chain.accountNonce(lease.signer, view.finalizedHash))
  }
  const isLost = ({ vault, accountNonce }: OpenAttempt): boolean => accountNonce < (finalCounts.get(vault) ?? 0)
  for (const { batchId, accountNonce } of open.filter(isLost)) {
    log.error(
      { batch: batchId, accountNonce, signer: signer.address },
      'a foreign tx used this account nonce: the batch gets another',
    )
    await lanes.loseNonce(lease, accountNonce)
  }
  return open.filter((attempt) => !isLost(attempt))
}

/**
 * Binds new batches and sends them. The first one goes alone: a nonce is bound for ever, so if custody cannot sign, one
 * batch waits for it and the others are left to lanes that can.
 */
async function takeBatches(context: StageContext, lane: Lane, live: readonly OpenAttempt[]): Promise<number> {
  const { lanes } = context
  const { lease } = lane
  const { full: except, inFlight } = occupancy(
    live.map(({ vault }) => vault),
    context.config.lane,
  )
  const terms = await termsOf(context, lane, inFlight, except)
  if (terms === undefined) return 0
  const { fees } = terms
  let taken = 0
  for (const countMax of [1, terms.countMax - 1]) {
    const firstNonce = terms.firstNonce + taken
    const more = countMax > 0 ? await lanes.allocate(lease, { firstNonce, countMax, fees, except }) : 0
    if (more === 0) break
    taken += more
    const bound = (await lanes.openAttempts(lease)).filter(({ accountNonce }) => accountNonce >= firstNonce)
    const fault = await driveAll(context, lane, bound)
    if (fault !== undefined) throw fault.error
  }
  return taken
}

type Terms = { readonly firstNonce: number; readonly countMax: number; readonly fees: Fees }

/** On which the lane may take batches now; undefined if there are none, or no gas money, slot or bearable fee. */
async function termsOf(
  context: StageContext,
  { lease, market }: Lane,
  inFlight: number,
  except: readonly Address[],
): Promise<Terms | undefined> {
  const { lanes, chain, config, log } = context
  const waiting = await lanes.unassignedCount(config.chainId, except)
  if (waiting === 0) return
  const balanceWei = await checkBalance(context, lease)
  const countMax = Math.min(waiting, freeSlots({ inFlight, balanceWei, limits: config.lane }))
  if (countMax === 0) return
  const fees = firstBid(market, config.lane)
  if (fees === 'over_cap') {
    log.warn(
      { signer: lease.signer, ...market, cap: config.lane.maxFeePerGasWeiMax },
      'the market is above the fee cap: waiting',
    )
    return
  }
  const firstNonce = nextAccountNonce({
    chainCount: await chain.accountNonce(lease.signer),
    storedMax: await lanes.storedNonceMax(lease),
  })
  return { firstNonce, countMax, fees }
}

/** Tells of a lane without gas money, whether it would take batches or only finish its own. @returns wei */
async function checkBalance({ lanes, chain, config, log }: StageContext, lease: Lease): Promise<bigint> {
  const balanceWei = await chain.balanceWei(lease.signer)
  const { balanceWeiMin } = config.lane
  const isPoor = balanceWei < balanceWeiMin
  await lanes.setPaused(lease, isPoor ? `balance ${balanceWei} wei is below ${balanceWeiMin}` : undefined)
  if (isPoor) {
    log.error({ signer: lease.signer, balanceWei, balanceWeiMin }, 'the lane is out of gas money: top it up')
  }
  return balanceWei
}
