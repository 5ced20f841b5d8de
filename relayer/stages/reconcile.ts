import { listedDifferences } from '../../core/break.ts'
import { payerAccount } from '../../core/ledger.ts'
import { compareDeliveries } from '../../core/obligations.ts'
import type { VaultEvent } from '../../core/ports/chain.ts'
import type { BlockRange, Cursor, FinalBlock, NewReconciliation, Stored } from '../../core/ports/reconciliation.ts'
import { reconcile as compare } from '../../core/reconcile.ts'
import { movementsOf } from '../../core/totals.ts'
import { chainFacts, readRange } from '../chain-facts.ts'
import { closeDay } from '../close-day.ts'
import type { Stage, StageContext } from '../stage.ts'

/** Blocks per range: their events are asked for at the same time. A step of finality that is longer is one range. */
const blockCountMax = 50n
/** Payments per range; a step of finality that has more is one range. */
const paymentCountMax = 5_000
/** Differences that one reconciliation lists. */
const differenceCountMax = 1_000
/** Longer than a range takes; a process that died holds up the others for as long. */
const leaseMillis = 60_000

/**
 * finalized, once more: asks chain, ledger, intents and events independently what happened in the next range of final
 * blocks, and opens a break for every difference. Then closes the day, if one is over.
 */
export const reconcile: Stage = async (context) => {
  const { config, reconciliation, holder } = context
  const cursor = await reconciliation.lease(config, holder, leaseMillis)
  if (cursor === undefined) return []
  try {
    const wasRange = await reconcileRange(context, cursor)
    const wasDay = await closeDay(context, (found) => store(context, found))
    return wasRange || wasDay ? [{ stage: 'reconcile' }] : []
  } finally {
    await reconciliation.release(config, holder)
  }
}

/** @returns whether there was a range: then there may be another. A quiet one waits until it is as long as it may be. */
async function reconcileRange(context: StageContext, cursor: Cursor): Promise<boolean> {
  const { config, reconciliation } = context
  const startedAtMillis = context.clock.nowMillis()
  const next = await reconciliation.finalBlocks(config, cursor.block.number, Number(blockCountMax) + 1)
  const [first] = next
  if (first === undefined) return false
  const ends = next.filter(({ number }) => number <= cursor.block.number + blockCountMax)
  const furthest = { from: cursor.block, to: ends.at(-1) ?? first }
  const isFull = ends.length < next.length || furthest.to.number >= cursor.block.number + blockCountMax
  if (!isFull && !(await reconciliation.hasMoved(config, furthest))) return false

  const all = await readRange(context, furthest)
  const range = { from: cursor.block, to: endWithin(all, ends.length === 0 ? [first] : ends) }
  const events = all.filter(({ blockNumber }) => blockNumber <= range.to.number)
  const found = await compareRange(context, cursor, range, events)
  await store(context, { ...found, startedAtMillis })
  return true
}

/** The last end of a step up to which there are not too many payments; the first one if that alone has more. */
function endWithin(events: readonly VaultEvent[], ends: readonly FinalBlock[]): FinalBlock {
  const countUpTo = (end: FinalBlock): number =>
    events.reduce(
      (count, event) =>
        event.name === 'BatchSettled' && event.blockNumber <= end.number ? count + event.paymentCount : count,
      0,
    )
  const [first, ...others] = ends
  if (first === undefined) throw new Error('a range has at least one end')
  return others.findLast((end) => countUpTo(end) <= paymentCountMax) ?? first
}

async function compareRange(
  context: StageContext,
  { held }: Cursor,
  range: BlockRange,
  events: readonly VaultEvent[],
): Promise<Omit<NewReconciliation, 'startedAtMillis'>> {
  const { config, reconciliation } = context
  const chain = await chainFacts(context, events, range.to.hash)
  const payers = chain.accounts.map(({ payer, token, mode }) => ({ token, account: payerAccount(payer, mode) }))
  const holders = config.tokens.map(({ address }) => ({ token: address, account: 'vault' }))
  const ledger = await reconciliation.ledger(config, range, [...payers, ...holders])
  const intents = await reconciliation.intents(
    config,
    range,
    chain.payments.map(({ digest }) => digest),
  )
  const deliveries = await reconciliation.deliveries(intents.finalized.map(({ id }) => id))
  const { totals, differences, agreements } = compare({
    tokens: config.tokens.map(({ address }) => address),
    heldBefore: held,
    chain,
    ledger,
    intents: { ...intents, reservations: await reconciliation.reservations(config, chain.accounts) },
  })
  return {
    id: context.newId('rc'),
    kind: 'range',
    ...range,
    day: undefined,
    sources: ['chain', 'ledger', 'intents', 'events', 'deliveries'],
    totals,
    settlements: chain.settlements,
    moved: movementsOf(ledger.lines),
    differences: [...differences, ...compareDeliveries(deliveries)],
    agreements,
  }
}

/** A break is told at error level when it is opened, and when its two sides move apart or together. */
async function store({ config, reconciliation, log }: StageContext, found: NewReconciliation): Promise<Stored> {
  const subject = `${found.kind} of blocks ${found.from.number} to ${found.to.number}`
  const differences = listedDifferences(found.differences, { countMax: differenceCountMax, subject })
  const stored = await reconciliation.store(config, { ...found, differences })
  if (stored.outcome === 'moved') return stored
  const facts = { reconciliation: found.id, chainId: config.chainId }
  for (const { id, ...difference } of stored.opened)
    log.error({ ...facts, break: id, ...difference }, 'a break is open')
  for (const { id, ...difference } of stored.changed)
    log.error({ ...facts, break: id, ...difference }, 'an open break has changed')
  for (const { id, ...agreement } of stored.cleared)
    log.info({ ...facts, break: id, ...agreement }, 'a break is cleared')
  log.debug({ ...facts, to: found.to.number }, 'reconciled')
  return stored
}
