import { sql } from 'kysely'
import { keccak256 } from 'viem'
import { describe, expect, test } from 'vitest'
import { idOf, newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { createReconciliations } from '../../adapters/postgres/reconciliations.ts'
import { encodeBatch } from '../../core/protocol/packed.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const { database, config, token } = world
const reconciliations = createReconciliations(database)
const daySeconds = 86_400
const payer = await world.payerWith(10_000_000n)

const days = async () => {
  const filter = { chainId: config.chainId, kind: 'day', hasBreaks: undefined, after: undefined } as const
  return (await reconciliations.list({ ...filter, countMax: 100 })).items
}
const openBreaks = async () =>
  (await reconciliations.listBreaks({ isOpen: true, after: undefined, countMax: 100 })).items
/** Reconciles the last blocks of the day, then goes to the first second of the next one and a few blocks into it. */
const endOfDay = async () => {
  await world.mine(55)
  await world.run('confirm', 'finalize', 'reconcile')
  const { timestamp } = await world.client.getBlock()
  await world.client.setNextBlockTimestamp({ timestamp: (timestamp / BigInt(daySeconds) + 1n) * BigInt(daySeconds) })
  await world.mine(60)
  await world.run('confirm', 'finalize')
}

describe('a day', () => {
  test('is closed once, when it is over, final and recorded, with the totals of all its ranges', async () => {
    await world.pay(payer, { nonce: 0n })
    await world.run('batch', 'submit')
    await world.settleDown()
    await world.run('reconcile')
    expect(await days()).toEqual([])

    // A record that is only late must not be called missing.
    await endOfDay()
    await world.run('reconcile')
    expect(await days()).toEqual([])
    await world.run('record', 'reconcile')
    const [day, ...others] = await days()
    expect(others).toEqual([])
    expect(day).toMatchObject({ kind: 'day', breakCount: 0, knownCount: 0, openCount: 0 })
    expect(Number(day?.toAt) % daySeconds).toBeGreaterThan(0)
    const totals = day?.totals.find((each) => each.token === token.address)
    expect(totals).toMatchObject({
      chain: { deposits: 10_000_000n, settled: 1_000_000n, settledCount: 1, held: 9_000_000n, holdings: 9_000_000n },
      ledger: { deposits: 10_000_000n, posted: 1_000_000n, payouts: 1_000_000n, vault: 9_000_000n },
      intents: { finalized: 1_000_000n, finalizedCount: 1 },
    })
    await world.run('reconcile')
    expect(await days()).toHaveLength(1)
    expect(await openBreaks()).toEqual([])
  })

  test('is closed without records that were not built in time: each is told, and so is the one that they wait for', async () => {
    const { timestamp } = await world.client.getBlock()
    const lane = localAccounts.lanes[1]
    if (lane === undefined) throw new Error('no second lane')
    for (const nonce of [1n, 2n]) {
      // By another sender of our relayer id: the chain’s day is not that of the clock by which we promise.
      const candidate = await world.candidateOf(payer, { nonce, deadline: timestamp + 3_600n })
      const payments = [{ ...candidate.payment, signature: candidate.signature }]
      const { scale } = candidate.token
      const batch = { token: token.address, scale, anchor: keccak256('0x'), payments, cancels: [] }
      await world.onVault(lane, 'settle', [encodeBatch(batch)])
      await world.settleDown()
    }
    const { rows: unbuilt } = await sql<{ id: string; tx_hash: Buffer }>`
      select id, tx_hash from audit_record where bytes is null order by sequence`.execute(database)
    expect(unbuilt).toHaveLength(2)
    await endOfDay()
    const { reconciliation } = world.context
    const impatient: typeof reconciliation = {
      ...reconciliation,
      openDay: (vault) => reconciliation.openDay(vault, 0),
      overdue: (vault, _hours, countMax) => reconciliation.overdue(vault, 0, countMax),
    }
    const before = (await days()).length
    for (let times = 0; times < 5; times++) await pipeline.reconcile({ ...world.context, reconciliation: impatient })
    expect(await days()).toHaveLength(before + 1)
    const found = await openBreaks()
    expect(
      found
        .filter(({ kind }) => kind === 'audit')
        .map(({ subject }) => subject)
        .toSorted(),
    ).toEqual(unbuilt.map(({ tx_hash }) => `0x${tx_hash.toString('hex')}`).toSorted())
    const late = found.filter(({ kind, actual }) => kind === 'obligation' && actual === 'not built')
    expect(late.map(({ subject }) => subject)).toEqual([idOf('ar', unbuilt[0]?.id ?? '')])

    await world.run('record')
    await endOfDay()
    await world.run('reconcile')
    const left = await openBreaks()
    expect(left.map(({ kind }) => kind)).toEqual(['audit', 'audit'])
    for (const { id } of left) {
      await reconciliations.resolve({ id, kind: 'corrected', operatorId: 'desk', note: 'built later' })
    }
  })

  test('that was changed after it was compared, and an account that no tx touched, are told', async () => {
    await world.mine(55)
    await world.run('confirm', 'finalize', 'reconcile')
    // Written into a block that is reconciled already.
    await sql`
      insert into ledger_entry (id, kind, chain_id, vault, token, block_number, accounts, amounts)
      select ${uuidOfOwn('le', newId('le'))}::uuid, 'deposit', chain_id, vault, ${Buffer.from(token.address.slice(2), 'hex')}, block_number,
        array['vault', 'payer:0x00'], array[5, -5]
      from reconciliation_cursor`.execute(database)
    const [account] = (
      await sql<{ payer: Buffer }>`update account set reserved = reserved + 3 returning payer`.execute(database)
    ).rows
    await endOfDay()
    await world.run('reconcile')
    const [day] = await days()
    expect(day).toMatchObject({ breakCount: 2 })
    const found = await openBreaks()
    expect(found.map(({ kind, expected, actual }) => [kind, expected, actual]).toSorted()).toEqual([
      ['changed', '0', '5'],
      ['reservation', '0', '3'],
    ])
    expect(found.find(({ kind }) => kind === 'changed')?.subject).toMatch(/^\d{4}-\d\d-\d\d deposits$/)
    expect(found.find(({ kind }) => kind === 'reservation')?.subject.toLowerCase()).toBe(
      `0x${account?.payer.toString('hex')}`,
    )

    await sql`update account set reserved = reserved - 3`.execute(database)
    await endOfDay()
    await world.run('reconcile')
    const closed = await reconciliations.listBreaks({ isOpen: false, after: undefined, countMax: 1 })
    expect(closed.items).toMatchObject([
      { kind: 'reservation', resolution: { kind: 'cleared', by: (await days())[0]?.id } },
    ])
    expect((await openBreaks()).map(({ kind }) => kind)).toEqual(['changed'])
  })

  test('whose last block is no longer in the chain is told', async () => {
    await endOfDay()
    const { chain, reconciliation } = world.context
    const ofRangesOnly = { ...reconciliation, openDay: async () => undefined }
    for (let times = 0; times < 5; times++) await pipeline.reconcile({ ...world.context, reconciliation: ofRangesOnly })
    const last = (await reconciliation.openDay(config, 96))?.to.number
    expect(last).toBeDefined()
    const forgetful: typeof chain = {
      ...chain,
      blockByNumber: async (number) => (number === last ? { outcome: 'absent' } : chain.blockByNumber(number)),
    }
    await pipeline.reconcile({ ...world.context, chain: forgetful })
    expect((await openBreaks()).map(({ kind, subject }) => [kind, subject])).toContainEqual(['block', `${last}`])
  })
})
