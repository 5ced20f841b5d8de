import type { Difference } from '../core/break.ts'
import { compareAudit, overdueDifferences } from '../core/obligations.ts'
import type { FinalBlock, NewReconciliation, OpenDay, Stored } from '../core/ports/reconciliation.ts'
import type { IntentFacts } from '../core/range-facts.ts'
import { type DaySums, reconcileDay } from '../core/reconcile-day.ts'
import type { StageContext } from './stage.ts'

/** Blocks whose sums one statement adds up. */
const sumBlockCountMax = 1_000n
/** Accounts whose reservations one statement compares. */
const accountCountMax = 1_000
/** Deliveries and audit records that are open longer than this are breaks. The last retry of a delivery is due after 76 hours. */
const obligationAgeHoursMax = 96
/** Overdue obligations, and open breaks of one kind, that are looked at. */
const openCountMax = 1_000
/** Txs whose audit records one statement reads. */
const auditTxCountMax = 500

const dayMillis = 86_400_000

/** Closes the first UTC day that is over, final and not closed. @returns whether there was one. */
export async function closeDay(
  context: StageContext,
  store: (found: NewReconciliation) => Promise<Stored>,
): Promise<boolean> {
  const { config, reconciliation, clock } = context
  const startedAtMillis = clock.nowMillis()
  const open = await reconciliation.openDay(config)
  if (open === undefined) return false
  const day = new Date(open.day * dayMillis).toISOString().slice(0, 10)
  const { totals, differences, agreements } = reconcileDay({
    day,
    tokens: config.tokens.map(({ address }) => address),
    ranges: open.ranges,
    sums: await sumsOf(context, open),
    reservations: await notableReservations(context),
  })
  const further = await compareObligations(context, open)
  const settlements: NewReconciliation['settlements'] = []
  await store({
    ...{ id: context.newId('rc'), kind: 'day', day: open.day, from: open.from, to: open.to },
    ...{
      sources: ['chain', 'ledger', 'intents', 'audit', 'obligations'],
      totals,
      settlements,
      moved: [],
      agreements,
      startedAtMillis,
    },
    differences: [...differences, ...(await findLostBlock(context, open.to)), ...further],
  })
  return true
}

/** The last block of the day must still be what it was when its range was compared. */
async function findLostBlock({ chain }: StageContext, { number, hash }: FinalBlock): Promise<readonly Difference[]> {
  const found = await chain.blockByNumber(number)
  const actual = found.outcome === 'absent' ? undefined : found.value.hash
  return actual === hash ? [] : [{ kind: 'block', subject: `${number}`, token: undefined, expected: hash, actual }]
}

/** In slices that begin and end where ranges do. */
async function sumsOf(
  { config, reconciliation }: StageContext,
  { from, ranges }: OpenDay,
): Promise<readonly DaySums[]> {
  const totals = new Map<string, DaySums>()
  let start = from
  for (const [index, { toBlock }] of ranges.entries()) {
    const isLast = index === ranges.length - 1
    if (!isLast && toBlock - start.number < sumBlockCountMax) continue
    const end = await reconciliation.finalBlockAt(config, toBlock)
    if (end === undefined) throw new Error(`final block ${toBlock} is gone`)
    for (const sums of await reconciliation.sums(config, { from: start, to: end })) {
      totals.set(sums.token, add(totals.get(sums.token), sums))
    }
    start = end
  }
  return [...totals.values()]
}

function add(one: DaySums | undefined, other: DaySums): DaySums {
  if (one === undefined) return other
  return {
    token: one.token,
    deposits: one.deposits + other.deposits,
    withdrawals: one.withdrawals + other.withdrawals,
    posted: one.posted + other.posted,
    postedCount: one.postedCount + other.postedCount,
    payouts: one.payouts + other.payouts,
    finalized: one.finalized + other.finalized,
    finalizedCount: one.finalizedCount + other.finalizedCount,
  }
}

/** Of every account, but kept are only those that differ, and those whose break may now be cleared. */
async function notableReservations({ config, reconciliation }: StageContext): Promise<IntentFacts['reservations']> {
  const open = new Set(await reconciliation.openSubjects(config, 'reservation', openCountMax))
  const notable: IntentFacts['reservations'][number][] = []
  for (let page = await reconciliation.accountsAfter(config, undefined, accountCountMax); page.length > 0; ) {
    const found = await reconciliation.reservations(config, page)
    notable.push(...found.filter((each) => each.reserved !== each.open || open.has(each.payer)))
    page = await reconciliation.accountsAfter(config, page.at(-1)?.payer, accountCountMax)
  }
  return notable
}

async function compareObligations(
  { config, reconciliation }: StageContext,
  { ranges }: OpenDay,
): Promise<readonly Difference[]> {
  const differences: Difference[] = []
  const settlements = ranges.flatMap((range) => range.settlements)
  for (let at = 0; at < settlements.length; at += auditTxCountMax) {
    const some = settlements.slice(at, at + auditTxCountMax)
    const txHashes = some.map(({ txHash }) => txHash)
    differences.push(...compareAudit(some, await reconciliation.auditRecords(config, txHashes)))
  }
  const overdue = await reconciliation.overdue(config, obligationAgeHoursMax, openCountMax)
  return [...differences, ...overdueDifferences(overdue, obligationAgeHoursMax)]
}
