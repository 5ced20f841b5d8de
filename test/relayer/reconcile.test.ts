import { sql } from 'kysely'
import { encodeFunctionData, parseAbi } from 'viem'
import { describe, expect, test } from 'vitest'
import { newId, uuidOfOwn } from '../../adapters/postgres/codec.ts'
import { inTransaction } from '../../adapters/postgres/database.ts'
import { createReconciliations } from '../../adapters/postgres/reconciliations.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import type { StageContext } from '../../relayer/stage.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const { database, config, token } = world
const reconciliations = createReconciliations(database)
const merchant = localAccounts.merchants[0]?.address

const ranges = async () => {
  const filter = { chainId: config.chainId, kind: 'range', hasBreaks: undefined, after: undefined } as const
  return (await reconciliations.list({ ...filter, countMax: 100 })).items
}
const openBreaks = async () =>
  (await reconciliations.listBreaks({ isOpen: true, after: undefined, countMax: 100 })).items
const settle = async (...nonces: readonly bigint[]) => {
  const payer = await world.payerWith(10_000_000n)
  const payments = []
  for (const nonce of nonces) payments.push(await world.pay(payer, { nonce }))
  await world.run('batch', 'submit')
  await world.settleDown()
  return { payer, ids: payments.map(({ id }) => id) }
}
/** What the triggers forbid everybody: a fault that only a broken disk or an intruder makes. */
const plant = (statement: Parameters<typeof sql.raw>[0]) =>
  inTransaction(database, async (tx) => {
    await sql`set local session_replication_role = replica`.execute(tx)
    const { numAffectedRows } = await sql.raw(statement).execute(tx)
    expect(numAffectedRows).toBe(1n)
  })
/** What the reconciliation of what has just been settled opens. */
const opened = async () => {
  const before = new Set((await openBreaks()).map(({ id }) => id))
  await world.run('reconcile')
  return (await openBreaks()).filter(({ id }) => !before.has(id))
}
const sendToVault = async (amount: bigint) => {
  const abi = parseAbi(['function mint(address to, uint256 amount)'])
  const data = encodeFunctionData({ abi, functionName: 'mint', args: [config.vault, amount] })
  await world.send(localAccounts.owner, token.address, data)
}

describe('what a normal life leaves behind', () => {
  test('agrees in chain, ledger and intents to the unit, range by range without a gap', async () => {
    const { payer } = await settle(0n, 1n)
    await world.run('reconcile')
    const found = await ranges()
    expect(found.length).toBeGreaterThan(0)
    expect(found.map(({ breakCount, knownCount }) => breakCount + knownCount)).toEqual(found.map(() => 0))
    for (const [index, range] of found.slice(1).entries()) expect(range.toBlock).toBe(found[index]?.fromBlock)
    const view = await world.context.finalization.view(config.chainId, config.vault)
    expect(found[0]?.toBlock).toBe(view?.finalizedNumber)
    const moved = found.flatMap(({ totals }) => totals.filter((each) => each.token === token.address))
    const sum = (pick: (totals: (typeof moved)[number]) => bigint) => moved.reduce((all, each) => all + pick(each), 0n)
    expect(sum(({ chain }) => chain.deposits)).toBe(10_000_000n)
    expect([sum(({ chain }) => chain.settled), sum(({ ledger }) => ledger.posted)]).toEqual([2_000_000n, 2_000_000n])
    expect([sum(({ intents }) => intents.finalized), sum(({ ledger }) => ledger.payouts)]).toEqual([
      2_000_000n,
      2_000_000n,
    ])
    expect(moved[0]).toMatchObject({ chain: { held: 8_000_000n, holdings: 8_000_000n }, ledger: { vault: 8_000_000n } })
    expect(await world.onChain(payer.address)).toMatchObject({ balance: 8_000_000n })
    expect(found.flatMap(({ settlements }) => settlements)).toMatchObject([{ count: 2, amount: 2_000_000n }])
  })

  test('agrees for payments that others settled, ours and strangers’', async () => {
    const payer = await world.payerWith(10_000_000n)
    const ours = await world.pay(payer, { nonce: 3n })
    const strange = await world.candidateOf(payer, { nonce: 4n, amount: 7n })
    const { encodeBatch } = await import('../../core/protocol/packed.ts')
    const payments = [ours.candidate, strange].map(({ payment, signature }) => ({ ...payment, signature }))
    const batch = {
      token: token.address,
      scale: strange.token.scale,
      anchor: `0x${'00'.repeat(32)}`,
      cancels: [],
    } as const
    const [, other] = localAccounts.lanes
    if (other === undefined) throw new Error('no second lane')
    await world.onVault(other, 'settle', [encodeBatch({ ...batch, payments })])
    await world.settleDown()
    expect(await world.stateOf(ours.id)).toBe('finalized')
    expect(await opened()).toEqual([])
    const [newest] = await ranges()
    const totals = newest?.totals.find((each) => each.token === token.address)
    expect(totals).toMatchObject({
      chain: { settled: 1_000_007n, settledCount: 2 },
      ledger: { posted: 1_000_007n },
      intents: { finalized: 1_000_000n, finalizedCount: 1, foreign: 7n, foreignCount: 1 },
    })
  })

  test('a quiet stretch waits until it is fifty blocks long', async () => {
    const before = (await ranges()).length
    await world.mine(40)
    await world.run('confirm', 'finalize', 'reconcile')
    expect(await ranges()).toHaveLength(before)
    await world.mine(15)
    await world.run('confirm', 'finalize', 'reconcile')
    expect((await ranges()).length).toBeGreaterThan(before)
    expect(await openBreaks()).toEqual([])
  })
})

describe('a planted fault opens the right break and leaves it open', () => {
  test('tokens that were sent to the vault by mistake', async () => {
    await sendToVault(17n)
    await settle(0n)
    const found = await opened()
    expect(found).toMatchObject([{ kind: 'surplus', subject: 'vault', token: token.address, owner: 'operator' }])
    const [surplus] = found
    expect(BigInt(surplus?.actual ?? 0) - BigInt(surplus?.expected ?? 0)).toBe(17n)
  })

  test('found again it is the same break; more of it is told', async () => {
    await settle(0n)
    expect(await opened()).toEqual([])
    expect((await ranges())[0]).toMatchObject({ breakCount: 0, knownCount: 1, openCount: 1 })
    await sendToVault(3n)
    await settle(0n)
    const told: object[] = []
    const log = { ...world.context.log, error: (facts: object) => void told.push(facts) }
    await pipeline.reconcile({ ...world.context, log })
    await world.run('reconcile')
    expect(told).toMatchObject([{ kind: 'surplus' }])
    const [surplus] = await openBreaks()
    expect(BigInt(surplus?.actual ?? 0) - BigInt(surplus?.expected ?? 0)).toBe(20n)
  })

  test('accepted by an operator it stays closed while it stays as it is', async () => {
    const [surplus] = await openBreaks()
    await reconciliations.resolve({
      id: surplus?.id ?? '',
      kind: 'accepted',
      operatorId: 'desk',
      note: 'a test sent it',
    })
    await settle(0n)
    expect(await opened()).toEqual([])
    await sendToVault(1n)
    await settle(0n)
    const again = await opened()
    expect(again).toMatchObject([{ kind: 'surplus' }])
    await reconciliations.resolve({
      id: again[0]?.id ?? '',
      kind: 'accepted',
      operatorId: 'desk',
      note: 'and one more',
    })
  })

  test('the amount of an intent, after it was final', async () => {
    const { ids } = await settle(0n)
    await plant(`update intent set amount = amount + 1 where id = '${uuidOfOwn('pi', ids[0] ?? '')}'`)
    expect(await opened()).toMatchObject([
      {
        kind: 'intent',
        subject: ids[0],
        expected: expect.stringMatching(new RegExp(`^1000000 from payer:0x.* to payee:${merchant}`)),
        actual: expect.stringMatching(/^1000001 from/),
      },
    ])
  })

  test('an event that is gone', async () => {
    const { ids } = await settle(0n, 1n)
    await plant(`delete from intent_event where intent_id = '${uuidOfOwn('pi', ids[1] ?? '')}' and sequence = 3`)
    expect(await opened()).toMatchObject([
      { kind: 'event', subject: ids[1], actual: '1, 2, 4, 5 ending with finalized' },
    ])
  })

  test('a reservation that nothing needs; it is cleared in writing when it is gone', async () => {
    const { payer } = await settle(0n)
    await sql`update account set reserved = reserved + 5 where payer = decode(${payer.address.slice(2)}, 'hex')`.execute(
      database,
    )
    const [found, ...others] = await opened()
    expect(others).toEqual([])
    expect(found).toMatchObject({ kind: 'reservation', subject: payer.address, expected: '0', actual: '5' })

    await sql`update account set reserved = reserved - 5 where payer = decode(${payer.address.slice(2)}, 'hex')`.execute(
      database,
    )
    await world.pay(payer, { nonce: 1n })
    await world.run('batch', 'submit')
    await world.settleDown()
    await world.run('reconcile')
    const closed = await reconciliations.listBreaks({ isOpen: false, after: undefined, countMax: 100 })
    expect(closed.items.find(({ id }) => id === found?.id)?.resolution).toMatchObject({
      kind: 'cleared',
      by: (await ranges())[0]?.id,
      note: expect.stringMatching(/^Both sides say 0 at block \d+\.$/),
    })
  })

  test('a ledger entry that is gone', async () => {
    const { payer, ids } = await settle(0n)
    await plant(`delete from ledger_entry where kind = 'posted' and intent_id = '${uuidOfOwn('pi', ids[0] ?? '')}'`)
    const found = await opened()
    expect(found.map(({ kind, subject, actual }) => [kind, subject, actual]).toSorted()).toEqual([
      ['account', payer.address, '10000000'],
      ['posted', ids[0], undefined],
    ])
  })

  test('a deposit that the chain does not know', async () => {
    await settle(0n)
    const txHash = `0x${'ee'.repeat(32)}`
    await sql`
      insert into ledger_entry (id, kind, chain_id, vault, token, block_number, tx_hash, log_index, accounts, amounts)
      select ${uuidOfOwn('le', newId('le'))}::uuid, 'deposit', chain_id, vault, token,
        block_number, decode(${txHash.slice(2)}, 'hex'), 7, array['vault', 'payer:0x00'], array[5, -5]
      from ledger_entry where block_number is not null order by block_number desc limit 1`.execute(database)
    const found = await opened()
    expect(found.map(({ kind, subject }) => [kind, subject]).toSorted()).toEqual([
      ['deposit', `${txHash}/7`],
      ['vault', 'vault'],
    ])
    expect(found.find(({ kind }) => kind === 'deposit')?.expected).toBeUndefined()
    await settle(0n)
    expect(await opened()).toEqual([])
  })
})

describe('a node', () => {
  test('that has other blocks than the final ones is an outage: nothing is compared with another chain', async () => {
    await settle(0n)
    const before = await ranges()
    const { chain } = world.context
    const events = async (): Promise<never> => {
      throw new Error('blocks that do not fit are not read')
    }
    const blockByNumber: typeof chain.blockByNumber = async (number) => {
      const found = await chain.blockByNumber(number)
      return found.outcome === 'absent' ? found : { ...found, value: { ...found.value, hash: `0x${'66'.repeat(32)}` } }
    }
    for (const other of [{ blockByNumber }, { blockByNumber: async () => ({ outcome: 'absent' as const }) }]) {
      const context = { ...world.context, chain: { ...chain, events, ...other } }
      await expect(pipeline.reconcile(context)).rejects.toThrow(ChainUnavailableError)
    }
    expect(await ranges()).toEqual(before)
    expect(await opened()).toEqual([])
  })
})

describe('a process', () => {
  const as = (holder: string, change: Partial<StageContext['reconciliation']> = {}): StageContext => ({
    ...world.context,
    holder,
    reconciliation: { ...world.context.reconciliation, ...change },
  })
  const isGapless = async () => {
    const found = await ranges()
    return found.slice(1).every((range, index) => range.toBlock === found[index]?.fromBlock)
  }

  test('that dies before it has written compares the same range again', async () => {
    await settle(0n)
    const before = (await ranges()).length
    const dying = as('dying', { store: () => Promise.reject(new Error('killed')), release: async () => undefined })
    await expect(pipeline.reconcile(dying)).rejects.toThrow('killed')
    expect(await ranges()).toHaveLength(before)
    // Its lease is still good: nobody else takes the vault until it ends.
    await pipeline.reconcile(as('other'))
    expect(await ranges()).toHaveLength(before)
    await sql`update reconciliation_cursor set held_until = now() - interval '1 second'`.execute(database)
    await pipeline.reconcile(as('other'))
    expect((await ranges()).length).toBeGreaterThan(before)
    expect(await isGapless()).toBe(true)
  })

  test('that dies after it has written goes on with the next range', async () => {
    await settle(0n)
    await expect(
      pipeline.reconcile(as('dying', { release: () => Promise.reject(new Error('killed')) })),
    ).rejects.toThrow('killed')
    await sql`update reconciliation_cursor set held_until = now() - interval '1 second'`.execute(database)
    await settle(0n)
    await pipeline.reconcile(as('other'))
    expect(await isGapless()).toBe(true)
  })

  test('that works at the same time as another compares nothing twice', async () => {
    await settle(0n)
    const before = (await ranges()).length
    await Promise.all(['one', 'two', 'three', 'one'].map((holder) => pipeline.reconcile(as(holder))))
    expect(await ranges()).toHaveLength(before + 1)
    expect(await isGapless()).toBe(true)
  })
})
