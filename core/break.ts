import type { Address } from 'viem'

/** What can disagree, as the identity that did not hold. Kinds are permanent: alerts and runbooks branch on them. */
export const breakKinds = {
  deposit: 'each deposit event of the vault = one deposit in the ledger',
  withdrawal: 'each withdrawal event of the vault = one withdrawal in the ledger',
  posted: 'each payment that the vault settled = one posted entry in the ledger',
  payout: 'per settling tx and payee, settled − credited = paid out in the ledger; each claim = one payout',
  intent: 'each payment of ours that the vault settled = one finalized intent with the same terms',
  event: 'the events of a finalized intent are numbered 1, 2, 3, … and end with finalized',
  delivery: 'each event whose app has an endpoint = one delivery',
  audit: 'each settling tx of ours = one audit record with all its paid payments',
  account: 'balance of a payer in the vault = balance of the payer in the ledger',
  vault: 'deposits − withdrawals − payouts on chain = balance of the vault in the ledger',
  surplus: 'the vault holds no more of a token than came in by deposits',
  shortfall: 'the vault holds no less of a token than it owes',
  reservation: 'reserved money of an account = sum of its open intents',
  unread: 'each settlement of the vault is one whose payments can be read: a batch of our relayer id, sent as such',
  changed: 'what was compared during a day is unchanged at its end',
  gap: 'ranges follow each other without a gap, also from day to day',
  block: 'a final block is still in the chain',
  obligation: 'deliveries and audit records are fulfilled in time',
  more: 'one reconciliation finds no more differences than it can list',
} as const

export type BreakKind = keyof typeof breakKinds

/**
 * One identity that did not hold. `expected`: what the chain (or whoever has the last word) says; `actual`: what is there
 * instead; undefined: nothing. Amounts in atomic units.
 */
export type Difference = {
  readonly kind: BreakKind
  /** What it is about: a tx and log index, an intent, a payer, a day. Kind, subject and token name it for ever. */
  readonly subject: string
  readonly token: Address | undefined
  readonly expected: string | undefined
  readonly actual: string | undefined
}

/** A comparison that held, of a kind that is compared again and again: evidence to clear a break with. */
export type Agreement = {
  readonly kind: BreakKind
  readonly subject: string
  readonly token: Address | undefined
  readonly value: string
}

/**
 * How far apart the two sides are. A break that was accepted with this delta is not opened again while the delta stays
 * the same, though the two sides may move together.
 */
export function deltaOf({ expected, actual }: Difference): string {
  const isNumber = (text: string | undefined): text is string => text !== undefined && /^-?\d+$/.test(text)
  return isNumber(expected) && isNumber(actual)
    ? `${BigInt(actual) - BigInt(expected)}`
    : `${expected ?? 'nothing'} ≠ ${actual ?? 'nothing'}`
}

const keyOf = ({ kind, subject, token }: Difference): string => `${kind} ${subject} ${token}`

/**
 * As they are kept: one per kind, subject and token, whose sides are told together if several differ there, and no more
 * than `countMax`; what is beyond is one difference of the kind `more`.
 */
export function listedDifferences(
  differences: readonly Difference[],
  { countMax, subject }: { readonly countMax: number; readonly subject: string },
): readonly Difference[] {
  const merged = new Map<string, Difference>()
  for (const difference of differences) {
    const twin = merged.get(keyOf(difference))
    merged.set(keyOf(difference), twin === undefined ? difference : together(twin, difference))
  }
  const all = [...merged.values()]
  if (all.length <= countMax) return all
  const beyond = { kind: 'more', subject, token: undefined, expected: `${countMax}`, actual: `${all.length}` } as const
  return [...all.slice(0, countMax), beyond]
}

function together(one: Difference, other: Difference): Difference {
  const join = (a: string | undefined, b: string | undefined) =>
    a === undefined ? b : b === undefined ? a : `${a}; ${b}`
  return { ...one, expected: join(one.expected, other.expected), actual: join(one.actual, other.actual) }
}
