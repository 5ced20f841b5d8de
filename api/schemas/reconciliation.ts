import { z } from '@hono/zod-openapi'
import { type BreakKind, breakKinds } from '../../core/break.ts'
import type { BreakRecord, ReconciliationRecord } from '../../core/ports/reconciliations.ts'
import { example } from './example.ts'
import { answer, isoOf } from './fields.ts'

const count = (text: string, value: number) => z.int().meta({ description: text, example: value })

const totalsSchema = z
  .object({
    token: answer.address('ERC-20 contract', example.token),
    chain: z.object({
      deposits: answer.amount('Deposit events'),
      withdrawals: answer.amount('Withdrawal events'),
      settled: answer.amount('Payments that the contract settled'),
      settledCount: count('How many', 58),
      credited: answer.amount('Of the settled, what the contract kept for payees; the rest was paid out'),
      claimed: answer.amount('Credits that payees claimed'),
      held: answer.amount(
        'At the last block: deposits − withdrawals − payouts since the contract began; what was taken from wallets counts as deposits',
      ),
      holdings: answer.amount('At the last block: balanceOf(contract) by the token’s own word'),
    }),
    ledger: z.object({
      deposits: answer.amount('Deposit entries'),
      withdrawals: answer.amount('Withdrawal entries'),
      posted: answer.amount('Posted payments'),
      postedCount: count('How many', 58),
      payouts: answer.amount('Payouts of batches and of claims'),
      vault: answer.amount('At the last block: balance of the account `vault`'),
    }),
    intents: z.object({
      finalized: answer.amount('Final payments'),
      finalizedCount: count('How many', 58),
      foreign: answer.amount('Settled for our relayer id without having been submitted to us'),
      foreignCount: count('How many', 0),
    }),
  })
  .meta({ id: 'ControlTotals', description: 'One token, as each source adds up for itself' })

export const breakViewSchema = z
  .object({
    id: z.string().meta({ description: 'Break id', example: example.breakId }),
    chainId: z.int().meta({ example: example.chainId }),
    contract: answer.address('The vault, or the pull settler', example.vault),
    kind: z.enum(Object.keys(breakKinds) as [BreakKind, ...BreakKind[]]).meta({ example: 'surplus' }),
    identity: z.string().meta({ description: 'What should hold and did not', example: breakKinds.surplus }),
    subject: z.string().meta({ description: 'What it is about', example: 'vault' }),
    token: answer.address('ERC-20 contract', example.token).nullable(),
    expected: z.string().nullable().meta({ description: 'What the chain says; null: nothing', example: '8000000' }),
    actual: z.string().nullable().meta({ description: 'What is there instead; null: nothing', example: '8000017' }),
    owner: z.string().meta({ description: 'A role or a person', example: 'operator' }),
    ageSeconds: count('Since it was opened, until it was resolved', 3600),
    openedAt: answer.time('When it was opened'),
    openedIn: z.string().meta({ description: 'Reconciliation that opened it', example: example.reconciliationId }),
    seenAt: answer.time('When it was last found'),
    seenIn: z
      .string()
      .meta({ description: 'Reconciliation that looked at it last', example: example.reconciliationId }),
    resolution: z
      .object({
        kind: z.enum(['corrected', 'accepted', 'cleared']),
        note: z.string().meta({ example: 'Sent by mistake; the sender was told' }),
        by: z
          .string()
          .meta({ description: 'An operator, or the reconciliation that found agreement', example: 'app_operator' }),
        at: answer.time('When'),
      })
      .nullable(),
  })
  .meta({ id: 'Break', description: 'One difference between chain and books that nobody has explained yet' })

const summaryShape = {
  id: z.string().meta({ description: 'Reconciliation id', example: example.reconciliationId }),
  chainId: z.int().meta({ example: example.chainId }),
  contract: answer.address('The vault, or the pull settler', example.vault),
  kind: z.enum(['range', 'day']).meta({ description: 'Blocks that became final together, or a whole UTC day' }),
  fromBlock: z.string().meta({ description: 'Exclusive', example: '1280' }),
  toBlock: z.string().meta({ description: 'Inclusive', example: '1289' }),
  fromTime: answer.time('Of that block'),
  toTime: answer.time('Of that block; a range belongs to the UTC day of its last block'),
  sources: z
    .array(z.string())
    .meta({ description: 'What was compared', example: ['chain', 'ledger', 'intents', 'events'] }),
  totals: z.array(totalsSchema),
  breakCount: count('Breaks that it opened', 0),
  knownCount: count('Differences that were open breaks already, or are accepted', 0),
  openCount: count('Open breaks of the contract when it had ended', 0),
  openSecondsMax: count('Age of the oldest of them', 0),
  startedAt: answer.time('When it began'),
  finishedAt: answer.time('When it was written'),
}
export const reconciliationSchema = z.object(summaryShape).meta({ id: 'Reconciliation' })

export const reconciliationViewSchema = z
  .object({
    ...summaryShape,
    settlements: z.array(
      z.object({
        txHash: answer.hash('Transaction'),
        token: answer.address('ERC-20 contract', example.token),
        count: count('Payments that it settled', 58),
        amount: answer.amount('Their sum'),
      }),
    ),
    breaks: z.array(breakViewSchema).meta({ description: 'Those that it opened, newest first, at most 100' }),
  })
  .meta({ id: 'ReconciliationView' })

type Texts<Value> = { readonly [Name in keyof Value]: Value[Name] extends bigint ? string : Value[Name] }

/** Amounts leave as decimal strings; counts are numbers. */
function textsOf<Value extends object>(value: Value): Texts<Value> {
  const entries = Object.entries(value).map(([name, each]) => [name, typeof each === 'bigint' ? `${each}` : each])
  return Object.fromEntries(entries) as Texts<Value>
}

export function showReconciliation(record: ReconciliationRecord): z.output<typeof reconciliationSchema> {
  const { id, chainId, vault, kind, fromBlock, toBlock, fromAt, toAt, sources, totals } = record
  const { breakCount, knownCount, openCount, openSecondsMax } = record
  return {
    ...{ id, chainId, contract: vault, kind, fromBlock: `${fromBlock}`, toBlock: `${toBlock}` },
    ...{ fromTime: isoOf(Number(fromAt) * 1000), toTime: isoOf(Number(toAt) * 1000), sources: [...sources] },
    totals: totals.map(({ token, chain, ledger, intents }) => ({
      ...{ token, chain: textsOf(chain), ledger: textsOf(ledger), intents: textsOf(intents) },
    })),
    ...{ breakCount, knownCount, openCount, openSecondsMax },
    ...{ startedAt: isoOf(record.startedAtMillis), finishedAt: isoOf(record.finishedAtMillis) },
  }
}

export function showBreak(record: BreakRecord, nowMillis: number): z.output<typeof breakViewSchema> {
  const { id, chainId, vault, kind, subject, token, expected, actual, owner, resolution } = record
  const untilMillis = resolution?.atMillis ?? nowMillis
  return {
    ...{ id, chainId, contract: vault, kind, identity: breakKinds[kind], subject, token: token ?? null },
    ...{ expected: expected ?? null, actual: actual ?? null, owner },
    ageSeconds: Math.max(0, Math.floor((untilMillis - record.openedAtMillis) / 1000)),
    ...{ openedAt: isoOf(record.openedAtMillis), openedIn: record.openedIn },
    ...{ seenAt: isoOf(record.seenAtMillis), seenIn: record.seenIn },
    resolution:
      resolution === undefined
        ? null
        : { kind: resolution.kind, note: resolution.note, by: resolution.by, at: isoOf(resolution.atMillis) },
  }
}
