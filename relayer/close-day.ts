import type { Difference } from '../core/break.ts'
import { compareAudit, fulfilledAgreements, overdueDifferences } from '../core/obligations.ts'
import type { BlockRange, FinalBlock, NewReconciliation, OpenDay, Stored } from '../core/ports/reconciliation.ts'
import type { IntentFacts, Settlement } from '../core/range-facts.ts'
import { subjectOf } from '../core/reconcile.ts'
import { type DaySums, reconcileDay } from '../core/reconcile-day.ts'
import type { StageContext } from './stage.ts'

/** Blocks, and settling txs, that one statement looks at; a range that has more is one slice. */
const sliceBlockCountMax = 1_000n
const sliceTxCountMax = 500
/** Accounts whose reservations one statement compares. */
const accountCountMax = 1_000
/** Audit records, their copies and deliveries that are open longer than this are breaks. The last retry of a delivery is due after 76 hours. */
const obligationAgeHoursMax = 96
/** Overdue obligations, and breaks of one kind that stand, that are looked at. */
const openCountMax = 1_000

const dayMillis = 86_400_000

/** Closes the first UTC day that is over, final and not closed. @returns whether there was one. */
export async function closeDay(
  context: StageContext,
  store: (found: NewReconciliation) => Promise<Stored>,
): Promise<boolean> {
  const { config, reconciliation, clock } = context
  const startedAtMillis = clock.nowMillis()
  const open = await reconciliation.openDay(config, obligationAgeHoursMax)
  if (open === undefined) return false
  const day = new Date(open.day * dayMillis).toISOString().slice(0, 10)
  const { totals, differences, agreements } = reconcileDay({
    day,
    tokens: config.tokens.map(({ address }) => address),
    formerToBlock: open.formerToBlock,
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
      agreements: [...agreements, ...further.agreements],
      startedAtMillis,
    },
    differences: [...differences, ...(await findLostBlock(context, open.to)), ...further.differences],
  })
  return true
}

/** The last block of the day must still be what it was when its range was compared. */
async function findLostBlock({ chain }: StageContext, { number, hash }: FinalBlock): Promise<readonly Difference[]> {
  const found = await chain.blockByNumber(number)
  const actual = found.outcome === 'absent' ? undefined : found.value.hash
  return actual === hash ? [] : [{ kind: 'block', subject: `${number}`, token: undefined, expected: hash, actual }]
}

async function sumsOf(context: StageContext, open: OpenDay): Promise<readonly DaySums[]> {
  const totals = new Map<string, DaySums>()
  for await (const { range } of slicesOf(context, open)) {
    for (const sums of await context.reconciliation.sums(context.config, range)) {
      totals.set(sums.token, add(totals.get(sums.token), sums))
    }
  }
  return [...totals.values()]
}

type Slice = { readonly range: BlockRange; readonly settlements: readonly Settlement[] }

/** The day in slices that begin and end where ranges do, each as much as one statement should look at. */
async function* slicesOf(
  { config, reconciliation }: StageContext,
  { from, ranges }: OpenDay,
): AsyncGenerator<Slice, void, undefined> {
  let start = from
  let settlements: Settlement[] = []
  for (const [index, { toBlock, settlements: more }] of ranges.entries()) {
    settlements.push(...more)
    const isSmall = toBlock - start.number < sliceBlockCountMax && settlements.length < sliceTxCountMax
    if (isSmall && index < ranges.length - 1) continue
    const end = await reconciliation.finalBlockAt(config, toBlock)
    if (end === undefined) throw new Error(`final block ${toBlock} is gone`)
    yield { range: { from: start, to: end }, settlements }
    start = end
    settlements = []
  }
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

/** Of every account, but kept are only those that differ, and those whose break may now be ended. */
async function notableReservations({ config, reconciliation }: StageContext): Promise<IntentFacts['reservations']> {
  const standing = new Set(await reconciliation.standingSubjects(config, 'reservation', openCountMax))
  const notable: IntentFacts['reservations'][number][] = []
  for (let page = await reconciliation.accountsAfter(config, undefined, accountCountMax); page.length > 0; ) {
    const found = await reconciliation.reservations(config, page)
    notable.push(...found.filter((each) => each.reserved !== each.open || standing.has(subjectOf(each))))
    page = await reconciliation.accountsAfter(config, page.at(-1)?.payer, accountCountMax)
  }
  return notable
}

/** What should be there by now because of the day, and what stood open too long and is fulfilled. */
async function compareObligations(
  context: StageContext,
  open: OpenDay,
): Promise<Pick<NewReconciliation, 'differences' | 'agreements'>> {
  const { config, reconciliation } = context
  const differences: Difference[] = []
  for await (const { range, settlements } of slicesOf(context, open)) {
    const txHashes = settlements.map(({ txHash }) => txHash)
    differences.push(...compareAudit(settlements, await reconciliation.auditRecords(config, range, txHashes)))
  }
  const overdue = await reconciliation.overdue(config, obligationAgeHoursMax, openCountMax)
  const isComplete = overdue.length < openCountMax
  const standing = isComplete ? await reconciliation.standingSubjects(config, 'obligation', openCountMax) : []
  return {
    differences: [...differences, ...overdueDifferences(overdue, obligationAgeHoursMax)],
    agreements: fulfilledAgreements(standing, overdue),
  }
}
