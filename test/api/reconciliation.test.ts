import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { bytes, newId } from '../../adapters/postgres/codec.ts'
import { createReconciliation } from '../../adapters/postgres/reconciliation.ts'
import { breakKinds, type Difference } from '../../core/break.ts'
import type { FinalBlock } from '../../core/ports/reconciliation.ts'
import { createWorld } from './world.ts'

const world = await createWorld({ payerCount: 0 })
const { chainId, vault, token, get, post } = world
const port = createReconciliation(world.database)
const key = { chainId, vault }
const operator = { as: 'operator' } as const

const held = 2n ** 127n
const zeros = { deposits: 0n, withdrawals: 0n }
const totals = {
  token: token.address,
  chain: { ...zeros, settled: 0n, settledCount: 0, credited: 0n, claimed: 0n, held, holdings: held + 17n },
  ledger: { ...zeros, posted: 0n, postedCount: 0, payouts: 0n, vault: held },
  intents: { finalized: 0n, finalizedCount: 0, foreign: 0n, foreignCount: 0 },
}
const surplus: Difference = {
  ...{ kind: 'surplus', subject: 'vault', token: token.address, expected: `${held}`, actual: `${held + 17n}` },
}

/** The relayer reconciles the next block and finds this. */
async function reconciled(differences: readonly Difference[]): Promise<string> {
  await sql`
    update chain_view set finalized_number = finalized_number + 1
    where chain_id = ${chainId} and vault = ${bytes(vault)}`.execute(world.database)
  const cursor = await port.lease(key, 'the relayer', 60_000)
  const [to] = cursor === undefined ? [] : await port.finalBlocks(key, cursor.block.number, 1)
  const from = cursor?.block as FinalBlock
  if (to === undefined) throw new Error('nothing is final')
  const id = newId('rc')
  await port.store(key, {
    ...{ id, kind: 'range', from, to, day: undefined, sources: ['chain', 'ledger'], totals: [totals] },
    settlements: [{ txHash: `0x${'ab'.repeat(32)}`, token: token.address, count: 2, amount: held }],
    ...{ moved: [], differences, agreements: [], startedAtMillis: Date.now() },
  })
  return id
}

describe('reconciliations', () => {
  test('are for operators, every path and method of them', async () => {
    for (const path of ['/v1/reconciliations', '/v1/reconciliations/rc_x', '/v1/breaks', '/v1/breaks?state=open']) {
      expect((await get(path)).body).toMatchObject({ status: 403, code: 'forbidden', role: 'operator' })
    }
    for (const path of ['/v1/breaks/br_x/assign', '/v1/breaks/br_x/resolve']) {
      expect((await post(path, { note: 'x' })).body).toMatchObject({ status: 403, code: 'forbidden' })
    }
  })

  test('are an empty page before there is one', async () => {
    expect((await get('/v1/reconciliations', operator)).body).toEqual({ items: [], nextCursor: null })
    expect((await get('/v1/breaks?state=open', operator)).body).toEqual({ items: [], nextCursor: null })
  })

  test('are listed newest first, in pages, and read with their breaks; amounts keep every digit', async () => {
    const ids = [await reconciled([]), await reconciled([surplus]), await reconciled([surplus])].toReversed()
    const first = (await get('/v1/reconciliations?limit=2', operator)).body
    expect(first.items.map(({ id }: { id: string }) => id)).toEqual(ids.slice(0, 2))
    const second = (await get(`/v1/reconciliations?limit=2&cursor=${first.nextCursor}`, operator)).body
    expect(second).toMatchObject({ items: [{ id: ids[2], breakCount: 0 }], nextCursor: null })
    const withBreaks = (await get(`/v1/reconciliations?hasBreaks=true&chainId=${chainId}&kind=range`, operator)).body
    expect(withBreaks.items).toMatchObject([{ id: ids[1], breakCount: 1, openCount: 1 }])

    const { body } = await get(`/v1/reconciliations/${ids[1]}`, operator)
    expect(body).toMatchObject({
      totals: [
        { token: token.address, chain: { held: `${held}`, holdings: `${held + 17n}` }, ledger: { vault: `${held}` } },
      ],
      settlements: [{ count: 2, amount: `${held}` }],
      breaks: [
        { kind: 'surplus', identity: breakKinds.surplus, actual: `${held + 17n}`, owner: 'operator', resolution: null },
      ],
    })
  })

  test.each([
    ['limit=0', 'limit'],
    ['limit=101', 'limit'],
    ['kind=week', 'kind'],
    ['hasBreaks=maybe', 'hasBreaks'],
    ['chainId=-1', 'chainId'],
  ])('refuse the filter %s', async (query, path) => {
    const { body } = await get(`/v1/reconciliations?${query}`, operator)
    expect(body).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path }] })
  })

  test('that nobody made is not found', async () => {
    expect((await get('/v1/reconciliations/rc_nonsense', operator)).body).toMatchObject({ code: 'not_found' })
  })

  test.each([
    ['/v1/reconciliations', 'nonsense'],
    ['/v1/breaks', "br_'--"],
    ['/v1/breaks', Buffer.from('1.rc_01k9v3p8h4f1btqx6w2z0n5mde').toString('base64url')],
  ])('a cursor of another list is no cursor of %s', async (path, cursor) => {
    const { body } = await get(`${path}?cursor=${encodeURIComponent(cursor)}`, operator)
    expect(body).toMatchObject({ status: 400, code: 'invalid_request', errors: [{ path: 'cursor' }] })
  })
})

describe('a break', () => {
  const open = async () => (await get('/v1/breaks?state=open', operator)).body.items

  test('is counted by kind in the metrics', async () => {
    const text = (await get('/metrics')).body
    expect(text).toContain('ice_reconciliation_open_breaks{kind="surplus"} 1')
    expect(text).toContain('ice_reconciliation_open_breaks{kind="shortfall"} 0')
  })

  test('is given to somebody', async () => {
    const [{ id }] = await open()
    const { status, body } = await post(`/v1/breaks/${id}/assign`, { owner: 'treasury' }, operator)
    expect([status, body.owner]).toEqual([200, 'treasury'])
    expect((await post(`/v1/breaks/${id}/assign`, {}, operator)).body).toMatchObject({ code: 'invalid_request' })
    expect((await post(`/v1/breaks/${newId('br')}/assign`, { owner: 'x' }, operator)).body).toMatchObject({
      code: 'not_found',
    })
  })

  test('is not closed without a note, nor by what only a reconciliation may say', async () => {
    const [{ id }] = await open()
    for (const body of [
      { resolution: 'accepted' },
      { resolution: 'accepted', note: '' },
      { resolution: 'cleared', note: 'x' },
      { note: 'x' },
      {},
    ]) {
      expect((await post(`/v1/breaks/${id}/resolve`, body, operator)).body).toMatchObject({ code: 'invalid_request' })
    }
    expect(await open()).toHaveLength(1)
  })

  test('is closed once, with the reason, and the retry of that is answered alike', async () => {
    const [{ id }] = await open()
    const body = { resolution: 'accepted', note: 'sent by mistake' }
    const sent = { ...operator, key: 'a-key-of-this-very-test' }
    const first = await post(`/v1/breaks/${id}/resolve`, body, sent)
    expect(first.body.resolution).toMatchObject({ kind: 'accepted', note: 'sent by mistake', by: 'operator' })
    expect((await post(`/v1/breaks/${id}/resolve`, body, sent)).body).toEqual(first.body)
    expect((await post(`/v1/breaks/${id}/resolve`, body, operator)).body).toMatchObject({
      ...{ status: 409, code: 'break_not_open', by: 'operator' },
      detail: 'The break was accepted by operator: sent by mistake',
    })
    expect((await post(`/v1/breaks/${id}/assign`, { owner: 'x' }, operator)).body).toMatchObject({
      code: 'break_not_open',
    })
    expect(await open()).toEqual([])
    expect((await get('/v1/breaks?state=resolved', operator)).body.items).toMatchObject([{ id, owner: 'treasury' }])
    const { rows } = await sql`select action from op_log where subject = ${id} order by id`.execute(world.database)
    expect(rows).toEqual([{ action: 'break.assign' }, { action: 'break.accepted' }])
  })
})

test('metrics are told without the breaks while the database cannot be asked', async () => {
  const { createApp } = await import('../../api/app.ts')
  const openCounts = () => Promise.reject(new Error('down'))
  const app = createApp({ ...world.ports, reconciliations: { ...world.ports.reconciliations, openCounts } })
  const answer = await app.request('/metrics')
  expect(answer.status).toBe(200)
  const text = await answer.text()
  expect(text).toContain('ice_api_commit_waiting')
  expect(text).not.toContain('ice_reconciliation_open_breaks{')
})
