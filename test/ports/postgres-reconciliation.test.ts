import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { createReconciliations } from '../../adapters/postgres/reconciliations.ts'
import type { Difference } from '../../core/break.ts'
import type { Cursor, FinalBlock, NewReconciliation } from '../../core/ports/reconciliation.ts'
import { zeroHash } from '../../core/protocol/typed-data.ts'
import type { TokenTotals } from '../../core/totals.ts'
import { admitOne, payerWith } from './books.ts'
import { candidate, chain, freshAddress, usdc } from './payments.ts'
import { postgresBooks } from './postgres-books.ts'

const books = await postgresBooks()
const { database } = books
const port = createReconciliation(database)
const read = createReconciliations(database)
const { chainId, vault } = chain
const key = { chainId, vault }
const most = 2n ** 256n - 1n

const lease = async (holder = 'one', millis = 60_000): Promise<Cursor> => {
  const cursor = await port.lease(key, holder, millis)
  if (cursor === undefined) throw new Error('somebody else has it')
  return cursor
}
/** The books go on by a step of finality. */
const advance = async (): Promise<FinalBlock> => {
  const { block } = await lease()
  const [last = block] = (await port.finalBlocks(key, block.number, 100)).toReversed()
  await books.observe({ finalized: last.number + 1n })
  const [next] = (await port.finalBlocks(key, last.number, 1)) ?? []
  if (next === undefined) throw new Error('no final block was recorded')
  return next
}
const zeros = { deposits: 0n, withdrawals: 0n }
const totals = (held: bigint): TokenTotals => ({
  token: usdc.address,
  chain: { ...zeros, settled: 0n, settledCount: 0, credited: 0n, claimed: 0n, held, holdings: held },
  ledger: { ...zeros, posted: 0n, postedCount: 0, payouts: 0n, vault: held },
  intents: { finalized: 0n, finalizedCount: 0, foreign: 0n, foreignCount: 0 },
})
const found = (from: FinalBlock, to: FinalBlock, fields: Partial<NewReconciliation> = {}): NewReconciliation => ({
  ...{ id: newId('rc'), kind: 'range', from, to, day: undefined, sources: ['chain'], totals: [totals(0n)] },
  ...{ settlements: [], moved: [], differences: [], agreements: [], startedAtMillis: Date.now(), ...fields },
})
const surplus = (actual: string): Difference => ({
  ...{ kind: 'surplus', subject: 'vault', token: usdc.address, expected: '100', actual },
})
/** Reconciles one step in which this was found. */
const reconcile = async (fields: Partial<NewReconciliation>) => {
  const to = await advance()
  const { block } = await lease()
  const reconciliation = found(block, to, fields)
  const stored = await port.store(key, reconciliation)
  if (stored.outcome === 'moved') throw new Error('moved')
  return { ...stored, id: reconciliation.id }
}
const openBreaks = async () => (await read.listBreaks({ isOpen: true, after: undefined, countMax: 100 })).items

test('what an account reserves is compared with its open payments', async () => {
  const payer = await payerWith(books, 1_000n)
  const account = { payer, token: usdc.address, mode: 'independent' as const }
  expect(await port.reservations(key, [account, account])).toEqual([{ ...account, reserved: 0n, open: 0n }])
  await admitOne(books, candidate({ payer, amount: 300n }))
  await admitOne(books, candidate({ payer, amount: 200n, nonce: 1n }))
  expect(await port.reservations(key, [account])).toEqual([{ ...account, reserved: 500n, open: 500n }])
  await sql`update account set reserved = reserved - 1 where payer = decode(${payer.slice(2)}, 'hex')`.execute(database)
  expect(await port.reservations(key, [account])).toEqual([{ ...account, reserved: 499n, open: 500n }])
})

test('all accounts are seen, page by page, whatever the size of a page', async () => {
  for (let count = 0; count < 5; count++) await payerWith(books, 1n)
  const seen: string[] = []
  for (let page = await port.accountsAfter(key, undefined, 2); page.length > 0; ) {
    seen.push(...page.map(({ payer }) => payer))
    page = await port.accountsAfter(key, page.at(-1)?.payer, 2)
  }
  const { rows } = await sql<{ count: number }>`select count(*) as count from account`.execute(database)
  expect(seen).toHaveLength(rows[0]?.count ?? 0)
  expect(new Set(seen).size).toBe(seen.length)
})

describe('the lease', () => {
  test('is one holder’s until it ends or is released, and says where reconciliation stands', async () => {
    expect((await lease('one')).block).toMatchObject({ number: 100n, hash: zeroHash })
    expect(await port.lease(key, 'two', 60_000)).toBeUndefined()
    expect(await port.lease(key, 'one', 0)).toBeDefined()
    await sql`select pg_sleep(0.01)`.execute(database)
    expect(await port.lease(key, 'two', 60_000)).toBeDefined()
    await port.release(key, 'one')
    expect(await port.lease(key, 'one', 60_000)).toBeUndefined()
    await port.release(key, 'two')
    expect(await port.lease(key, 'one', 60_000)).toBeDefined()
  })

  test('is nobody’s of a vault that the books do not follow', async () => {
    expect(await port.lease({ chainId, vault: freshAddress() }, 'one', 60_000)).toBeUndefined()
  })
})

describe('a reconciliation', () => {
  test('is read as it was written, with every digit, and moves the cursor', async () => {
    const settlements = [{ txHash: `0x${'ab'.repeat(32)}`, token: usdc.address, count: 2, amount: most }] as const
    const { id } = await reconcile({ totals: [totals(most)], settlements })
    expect(await read.find(id)).toMatchObject({ kind: 'range', totals: [totals(most)], settlements, breakCount: 0 })
    const { held, block } = await lease()
    expect(held.get(usdc.address)).toBe(most)
    expect(block.number).toBe((await read.find(id))?.toBlock)
  })

  test('of a range that is not the next one writes nothing', async () => {
    const { block } = await lease()
    const next = await advance()
    const reconciliation = found(block, next, { differences: [surplus('117')] })
    expect(await port.store(key, reconciliation)).toMatchObject({ outcome: 'stored' })
    const again = { ...reconciliation, id: newId('rc'), differences: [surplus('118')] }
    expect(await port.store(key, again)).toEqual({ outcome: 'moved' })
    expect(await read.find(again.id)).toBeUndefined()
    expect((await openBreaks()).map(({ actual }) => actual)).toEqual(['117'])
  })

  test('of one range by ten at once is written once', async () => {
    const { block } = await lease()
    const to = await advance()
    const moved = [{ token: usdc.address, account: 'vault', amount: 9n }]
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => port.store(key, found(block, to, { moved }))))
    expect(outcomes.filter(({ outcome }) => outcome === 'stored')).toHaveLength(1)
    const { balancesBefore } = await port.ledger(key, { from: block, to }, moved)
    expect(balancesBefore).toEqual(moved)
  })

  test('is never changed', async () => {
    await expect(sql`update reconciliation set break_count = 0`.execute(database)).rejects.toThrow('never changed')
    await expect(sql`delete from reconciliation`.execute(database)).rejects.toThrow('never changed')
  })

  test('is listed newest first, page by page, by chain, kind and breaks', async () => {
    const filter = { chainId, kind: undefined, hasBreaks: undefined, after: undefined }
    const all = (await read.list({ ...filter, countMax: 100 })).items
    expect(all.length).toBeGreaterThan(2)
    expect(all.map(({ id }) => id)).toEqual(
      all
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    )
    const first = await read.list({ ...filter, countMax: 2 })
    const second = await read.list({ ...filter, after: first.next, countMax: 2 })
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(all.slice(0, 4).map(({ id }) => id))
    expect((await read.list({ ...filter, hasBreaks: true, countMax: 100 })).items).toEqual(
      all.filter(({ breakCount }) => breakCount > 0),
    )
    expect((await read.list({ ...filter, kind: 'day', countMax: 100 })).items).toEqual([])
    expect((await read.list({ ...filter, chainId: chainId + 1, countMax: 100 })).items).toEqual([])
    expect(await read.list({ ...filter, after: 'rc_nonsense', countMax: 100 })).toEqual({ items: [], next: undefined })
  })
})

describe('a break', () => {
  test('is one however often it is found; the last two sides are kept', async () => {
    const { opened, changed } = await reconcile({ differences: [surplus('117')] })
    expect([opened, changed]).toEqual([[], []])
    const again = await reconcile({ differences: [surplus('120')] })
    expect(again.changed).toMatchObject([{ kind: 'surplus', actual: '120' }])
    expect(await openBreaks()).toMatchObject([{ actual: '120', seenIn: again.id, owner: 'operator' }])
    expect(await read.find(again.id)).toMatchObject({ breakCount: 0, knownCount: 1, openCount: 1 })
  })

  test('is owned by whom an operator names, and that is in the op-log', async () => {
    const [{ id } = { id: '' }] = await openBreaks()
    const assignment = { id, owner: 'treasury', operatorId: 'desk', note: undefined }
    expect(await read.assign(assignment)).toMatchObject({ outcome: 'decided', record: { owner: 'treasury' } })
    const { rows } = await sql`select app_id, action, note from op_log where subject = ${id}`.execute(database)
    expect(rows).toEqual([{ app_id: 'desk', action: 'break.assign', note: 'to treasury' }])
  })

  test('that was corrected is a new one when it is found again; that was accepted is not, while its delta stays', async () => {
    const [{ id } = { id: '' }] = await openBreaks()
    const resolution = { operatorId: 'desk', note: 'sent back' }
    expect(await read.resolve({ ...resolution, id, kind: 'corrected' })).toMatchObject({ outcome: 'decided' })
    expect(await read.resolve({ ...resolution, id, kind: 'accepted' })).toMatchObject({ outcome: 'not_open' })
    expect(await read.assign({ id, owner: 'x', operatorId: 'desk', note: undefined })).toMatchObject({
      outcome: 'not_open',
    })
    const { rows } = await sql`select action, note from op_log where subject = ${id} order by id`.execute(database)
    expect(rows).toEqual([
      { action: 'break.assign', note: 'to treasury' },
      { action: 'break.corrected', note: 'sent back' },
    ])

    const { opened } = await reconcile({ differences: [surplus('120')] })
    expect(opened).toHaveLength(1)
    await read.resolve({ ...resolution, id: opened[0]?.id ?? '', kind: 'accepted' })
    // Both sides moved, the delta did not.
    expect((await reconcile({ differences: [{ ...surplus('220'), expected: '200' }] })).opened).toEqual([])
    expect((await reconcile({ differences: [surplus('121')] })).opened).toMatchObject([{ actual: '121' }])
  })

  test('is cleared by a later agreement, in writing; only the very same one', async () => {
    const agreement = { kind: 'surplus', subject: 'vault', token: usdc.address, value: '100' } as const
    const other = await reconcile({
      agreements: [
        { ...agreement, kind: 'shortfall' },
        { ...agreement, subject: 'x' },
      ],
    })
    expect(other.cleared).toEqual([])
    const { id, cleared } = await reconcile({ agreements: [agreement] })
    expect(cleared).toMatchObject([agreement])
    const { items } = await read.listBreaks({ isOpen: false, after: undefined, countMax: 1 })
    expect(items).toMatchObject([
      { resolution: { kind: 'cleared', by: id, note: expect.stringContaining('Both sides say 100') } },
    ])
    expect(await openBreaks()).toEqual([])
  })

  test('that was accepted is not again what explains a difference, once another one was opened or both sides agreed', async () => {
    const about = { kind: 'surplus', subject: 'an old explanation', token: usdc.address } as const
    const difference = { ...about, expected: '100', actual: '120' }
    const resolve = (id: string | undefined, kind: 'accepted' | 'corrected') =>
      read.resolve({ id: id ?? '', kind, operatorId: 'desk', note: 'looked at' })
    const open = async (found: Difference) => {
      const { opened } = await reconcile({ differences: [found] })
      expect(opened).toMatchObject([{ actual: found.actual }])
      return opened[0]?.id
    }
    const accepted = await open(difference)
    await resolve(accepted, 'accepted')
    await resolve(await open({ ...difference, actual: '121' }), 'corrected')
    await resolve(await open(difference), 'accepted')
    expect((await reconcile({ differences: [difference] })).opened).toEqual([])

    await reconcile({ agreements: [{ ...about, value: '100' }] })
    await resolve(await open(difference), 'corrected')

    const { rows } = await sql<{ lapsed_at: Date }>`
      select lapsed_at from reconciliation_break where id = ${uuidOfOwn('br', accepted ?? '')}`.execute(database)
    expect(rows[0]?.lapsed_at).toBeInstanceOf(Date)
    await expect(sql`update reconciliation_break set lapsed_at = null`.execute(database)).rejects.toThrow(
      'never deleted',
    )
    await expect(
      sql`update reconciliation_break set lapsed_at = now(), note = 'better' where resolution = 'corrected'`.execute(
        database,
      ),
    ).rejects.toThrow('never deleted')
  })

  test('is closed by no statement without a reason, and never changed or deleted afterwards', async () => {
    const { opened } = await reconcile({ differences: [{ ...surplus('1'), token: undefined, kind: 'block' }] })
    const uuid = uuidOfOwn('br', opened[0]?.id ?? '')
    const close = (note: string | null) =>
      sql`
        update reconciliation_break set resolution = 'corrected', resolved_by = 'x', resolved_at = now(), note = ${note}
        where id = ${uuid}`.execute(database)
    await expect(close(null)).rejects.toThrow('check')
    await expect(close('')).rejects.toThrow('check')
    await expect(sql`delete from reconciliation_break where id = ${uuid}`.execute(database)).rejects.toThrow(
      'never deleted',
    )
    await close('it is back')
    await expect(close('better')).rejects.toThrow('resolved')
    expect((await read.openCounts()).get('block')).toBe(0)
  })

  test('that nobody knows is not found', async () => {
    for (const id of [newId('br'), 'br_nonsense', '']) {
      expect(await read.resolve({ id, kind: 'accepted', operatorId: 'desk', note: 'x' })).toEqual({
        outcome: 'not_found',
      })
    }
  })
})
