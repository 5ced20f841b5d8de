import { sql } from 'kysely'
import { type Hex, keccak256, toHex } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeEach, describe, expect, test } from 'vitest'
import { createArchive } from '../../adapters/postgres/archive.ts'
import { newId } from '../../adapters/postgres/codec.ts'
import { createOrders } from '../../adapters/postgres/orders.ts'
import { orderHashOf, orderRefOf } from '../../core/order.ts'
import {
  type AuditRecord,
  anchorOf,
  auditBytes,
  auditHash,
  auditRecordSchema,
  auditTree,
} from '../../core/protocol/audit-record.ts'
import { encodeBatch } from '../../core/protocol/packed.ts'
import { parseSignature } from '../../core/protocol/signature.ts'
import { domainOf, guarantees, type Payment, types, zeroHash } from '../../core/protocol/typed-data.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import type { StageContext } from '../../relayer/stage.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld()
const { config, context, database } = world
const chainSeconds = async () => Number((await world.client.getBlock()).timestamp)

type Stored = { readonly record: AuditRecord; readonly bytes: Buffer; readonly sha256: Hex; readonly cid: string }

/** All records, in their order; each is checked for what must hold of every record. */
async function records(): Promise<readonly Stored[]> {
  const { rows } = await sql<{ bytes: Buffer; sha256: Buffer; cid: string }>`
    select bytes, sha256, cid from audit_record where bytes is not null order by sequence`.execute(database)
  let previous: Hex = zeroHash
  return rows.map(({ bytes, sha256, cid }, index) => {
    const record = auditRecordSchema.parse(JSON.parse(bytes.toString()))
    expect(Buffer.from(auditBytes(record)).equals(bytes)).toBe(true)
    expect(record).toMatchObject({ sequence: `${index + 1}`, previous })
    expect(record.merkle).toEqual(auditTree([...record.payments, ...record.cancels]))
    previous = auditHash(bytes)
    expect(previous).toBe(toHex(sha256))
    return { record, bytes, sha256: previous, cid }
  })
}
const last = async (): Promise<Stored> => {
  const found = (await records()).at(-1)
  if (found === undefined) throw new Error('no record')
  return found
}

async function payAs(appId: string, payer: PrivateKeyAccount, fields: Partial<Payment> = {}) {
  const candidate = { ...(await world.candidateOf(payer, fields)), appId }
  const [admitted] = await world.intake.admit([candidate], Math.floor(world.clock.nowMillis() / 1000))
  expect(admitted).toMatchObject({ outcome: 'accepted' })
  return candidate
}
const settle = async () => {
  await world.run('batch', 'submit')
  await world.settleDown()
  await world.run('record')
}
const numbersOf = async (appId: string): Promise<readonly string[]> => {
  const { rows } = await sql<{ tag: Buffer }>`select tag from audit_app where app_id = ${appId}`.execute(database)
  const tag = toHex(rows[0]?.tag ?? Buffer.alloc(0))
  return (await records()).flatMap(({ record }) =>
    record.payments.filter(({ app }) => app === tag).flatMap(({ appSequence }) => appSequence ?? []),
  )
}
/** Of all ranges, as they were compared with the chain. */
const settlements = async () => {
  const { rows } = await sql<{ settlements: readonly { readonly txHash: Hex }[] }>`
    select settlements from reconciliation`.execute(database)
  return rows.flatMap((row) => row.settlements)
}
const oneTo = (count: number) => Array.from({ length: count }, (_, index) => `${index + 1}`)

describe('the audit trail', () => {
  test('holds what the chain shows of a batch, and its anchor opens to the record before', async () => {
    const payer = await world.payerWith(9_000_000n)
    const reference = 'invoice 7 of Ms Lin'
    const order = {
      id: newId('po'),
      appId: 'app-shop',
      chainId: config.chainId,
      salt: toHex(Buffer.alloc(16, 3)),
      reference,
    }
    const orderHash = orderHashOf(order)
    const payee = localAccounts.merchants[0]?.address ?? config.vault
    const wanted = { payee, token: world.token.address, amount: 1_000_000n, orderRef: orderRefOf(orderHash) }
    await createOrders(database).create({
      ...order,
      ...wanted,
      orderHash,
      expiresAt: BigInt((await chainSeconds()) + 9_000),
    })
    const first = await payAs('app-wallet', payer, { ...wanted, nonce: 0n })
    const second = await payAs('app-other', payer, { nonce: 1n })
    await settle()
    const { record, bytes, sha256 } = await last()
    const transaction = await world.client.getTransaction({ hash: record.tx.hash as Hex })
    const receipt = await world.client.getTransactionReceipt({ hash: record.tx.hash as Hex })
    expect(record).toMatchObject({
      chainId: '31337',
      vault: config.vault.toLowerCase(),
      relayerId: `${config.relayerId}`,
      tx: {
        blockNumber: `${receipt.blockNumber}`,
        blockHash: receipt.blockHash,
        status: '1',
        gasUsed: `${receipt.gasUsed}`,
        effectiveGasPriceWei: `${receipt.effectiveGasPrice}`,
        logs: receipt.logs
          .filter(({ address }) => address === config.vault.toLowerCase())
          .map(({ logIndex, topics, data }) => ({ logIndex: `${logIndex}`, topics, data })),
      },
      batch: { results: '0x03', opening: { sequence: '0', head: zeroHash } },
      payments: [
        { digest: first.digest, orderHash, signature: first.signature, result: true, appSequence: '1' },
        { digest: second.digest, orderHash: null, result: true, appSequence: '1' },
      ],
      cancels: [],
    })
    expect(transaction.input).toContain(record.batch?.anchor.slice(2))
    expect(anchorOf({ head: zeroHash, batchId: record.batch?.id ?? '' })).toBe(record.batch?.anchor)
    for (const secret of ['app-wallet', 'app-other', 'app-shop', reference, order.id, first.id, 'http']) {
      expect(bytes.includes(secret), secret).toBe(false)
    }
    expect(record.payments[0]?.app).not.toBe(record.payments[1]?.app)

    await payAs('app-wallet', payer, { nonce: 2n })
    await settle()
    const { record: next } = await last()
    expect(next).toMatchObject({ previous: sha256, payments: [{ app: record.payments[0]?.app, appSequence: '2' }] })
    expect(next.batch?.opening).toEqual({ sequence: '1', head: sha256 })
    expect(anchorOf({ head: sha256, batchId: next.batch?.id ?? '' })).toBe(next.batch?.anchor)
  })

  test('holds a refused payment without a number, and with one where it settled', async () => {
    const payer = await world.payerWith(1_000_000n)
    const before = (await numbersOf('app-late')).length
    const late = await payAs('app-late', payer)
    const other = await world.payerWith(1_000_000n)
    await payAs('app-late', other)
    await world.run('batch')
    // Between simulation and block its payer spends the money elsewhere.
    const rival = await world.candidateOf(payer, { nonce: 5n })
    await settleDirectly(rival)
    await world.run('submit')
    await world.settleDown()
    await world.run('record')
    const [direct, refused] = (await records()).slice(-2).map(({ record }) => record)
    expect(direct).toMatchObject({
      batch: { id: null, opening: null },
      payments: [{ digest: rival.digest, app: null, result: true }],
    })
    expect(refused?.payments.find(({ digest }) => digest === late.digest)).toMatchObject({
      result: false,
      appSequence: null,
    })
    expect(refused?.payments.filter(({ result }) => result)).toHaveLength(1)
    expect((await numbersOf('app-late')).length).toBe(before + 1)
  })

  test('holds payments of ours that another sender brought to the chain, with their numbers', async () => {
    const payer = await world.payerWith(1_000_000n)
    const ours = await payAs('app-wallet', payer)
    await settleDirectly(ours)
    await world.settleDown()
    await world.run('record')
    const { record } = await last()
    expect(await world.stateOf(ours.id)).toBe('finalized')
    expect(record).toMatchObject({ batch: { id: null }, payments: [{ digest: ours.digest, result: true }] })
    expect(await numbersOf('app-wallet')).toEqual(oneTo((await numbersOf('app-wallet')).length))
  })

  test('holds a burnt nonce, and nothing of the payment that it ended', async () => {
    const payer = await world.payerWith(1_000_000n)
    const candidate = await payAs('app-wallet', payer, { nonce: 3n })
    const { token, nonce } = candidate.payment
    const deadline = BigInt((await chainSeconds()) + 3_600)
    const signature = parseSignature(
      await payer.signTypedData({
        domain: domainOf(config),
        types,
        primaryType: 'Cancel',
        message: { payer: payer.address, token, nonce, deadline },
      }),
    )
    if (signature.outcome !== 'ok') throw new Error('a test signs well')
    const cancel = { signature: signature.compact, deadline }
    await world.intents.cancel({ id: candidate.id, reason: 'asked', isConsented: true, cancel })
    await settle()
    const { record, bytes } = await last()
    // Its terms never reached the chain, and from its digest they could be guessed.
    expect(bytes.includes(candidate.digest)).toBe(false)
    expect(record).toMatchObject({
      payments: [],
      cancels: [{ index: '0', result: true, signature: signature.compact }],
    })
    expect(record.cancels[0]?.app).toMatch(/^0x[0-9a-f]{64}$/)
  })

  test('holds an overdue payment that somebody settled by the promise alone', async () => {
    const payer = await world.payerWith(1_000_000n)
    const candidate = await world.candidateOf(payer)
    const [admitted] = await world.intake.admit([candidate], Math.floor(world.clock.nowMillis() / 1000))
    if (admitted?.outcome !== 'accepted') throw new Error('not taken')
    const { proof, rootSignature, key, ...promise } = admitted.acknowledgement
    await world.client.increaseTime({ seconds: config.promise.settleWithinSeconds + 60 })
    await world.mine()
    const acknowledged = { ...promise, guarantee: guarantees[promise.guarantee] }
    await world.onVault(localAccounts.stranger, 'settleOverdue', [
      candidate.payment,
      candidate.signature,
      acknowledged,
      proof,
      rootSignature,
      key,
      key.signature,
    ])
    await world.settleDown()
    await world.run('record')
    expect(await world.stateOf(candidate.id)).toBe('finalized')
    expect((await last()).record).toMatchObject({
      batch: null,
      payments: [
        {
          digest: candidate.digest,
          result: true,
          deadline: `${candidate.payment.deadline}`,
          signature: candidate.signature,
        },
      ],
    })
    await world.run('reconcile')
    expect(await settlements()).toContainEqual({
      ...{ txHash: (await last()).record.tx.hash, token: world.token.address, count: 1, amount: '1000000' },
    })
  })
})

test('a batch of nothing has no record and holds up no other', async () => {
  const payer = await world.payerWith(1_000_000n)
  const before = (await records()).length
  const lane = localAccounts.lanes[1]
  if (lane === undefined) throw new Error('no second lane')
  const empty = { token: world.token.address, scale: 1n, anchor: keccak256('0x'), payments: [], cancels: [] }
  const hash = await world.onVault(lane, 'settle', [encodeBatch(empty)])
  await world.settleDown()
  expect(await world.client.getTransactionReceipt({ hash })).toMatchObject({ status: 'success', logs: { length: 1 } })
  await payAs('app-wallet', payer)
  await settle()
  const added = (await records()).slice(before)
  expect(added).toMatchObject([{ record: { payments: [{ result: true }] } }])

  await world.run('reconcile')
  const compared = (await settlements()).map(({ txHash }) => txHash)
  expect(compared).toContain(added[0]?.record.tx.hash)
  expect(compared).not.toContain(hash)
})

describe('numbers', () => {
  let payer: PrivateKeyAccount
  let before: number
  beforeEach(async () => {
    payer = await world.payerWith(5_000_000n)
    before = (await records()).length
  })

  test('have no gap when a step of finality is rolled back after it took some, and done again', async () => {
    await payAs('app-wallet', payer)
    await world.run('batch', 'submit')
    await world.mine(4)
    await world.run('confirm')
    const { chain } = context
    const spoilt: StageContext = {
      ...context,
      // Written after the numbers, and refused by the database.
      chain: {
        ...chain,
        accounts: async (...asked) =>
          (await chain.accounts(...asked)).map((state) => ({ ...state, withdrawAmount: -1n })),
      },
    }
    for (let times = 0; times < 3; times++) await expect(pipeline.finalize(spoilt)).rejects.toThrow('atomic_check')
    await world.run('finalize', 'record')
    expect(await records()).toHaveLength(before + 1)
    expect(await numbersOf('app-wallet')).toEqual(oneTo((await numbersOf('app-wallet')).length))
  })

  test('have no gap and records no twin when processes finalize and record at the same time', async () => {
    for (let nonce = 0n; nonce < 3n; nonce++) {
      await payAs(nonce === 1n ? 'app-other' : 'app-wallet', payer, { nonce })
      await world.run('batch', 'submit')
      await world.mine()
    }
    await world.mine(3)
    await world.run('confirm')
    for (let times = 0; times < 4; times++) {
      await Promise.all(Array.from({ length: 4 }, () => pipeline.finalize(context)))
      await Promise.all(Array.from({ length: 4 }, () => pipeline.record(context)))
    }
    const found = await records()
    expect(found.length).toBe(before + 3)
    expect(new Set(found.map(({ record }) => record.tx.hash)).size).toBe(found.length)
    for (const app of ['app-wallet', 'app-other']) {
      expect(await numbersOf(app)).toEqual(oneTo((await numbersOf(app)).length))
    }
    const copies = await createArchive(database).claim({
      ...{ chainId: config.chainId, vault: config.vault, store: 'arweave' },
      ...{ countMax: 100, leaseMillis: 1 },
    })
    expect(copies).toHaveLength(found.length)
  })

  test('are in the end given to every settled payment of ours, in exactly one record each', async () => {
    const settled = (await records()).flatMap(({ record }) =>
      record.payments.filter(({ result }) => result).map(({ digest }) => digest),
    )
    expect(new Set(settled).size).toBe(settled.length)
    const { rows } = await sql<{ digest: Buffer }>`
      select i.digest from intent i left join batch b on b.id = i.batch_id
      where i.state = 'finalized' or (i.state = 'batched' and b.state = 'finalized')`.execute(database)
    expect(rows.length).toBeGreaterThan(5)
    expect(rows.filter(({ digest }) => !settled.includes(toHex(digest)))).toEqual([])
  })

  test('are not given to a record that the chain cannot show yet: it waits and is built later', async () => {
    await payAs('app-wallet', payer)
    await world.run('batch', 'submit')
    await world.settleDown()
    const { chain } = context
    const forgetful = { ...context, chain: { ...chain, mined: async () => ({ outcome: 'absent' }) as const } }
    await expect(pipeline.record(forgetful)).rejects.toThrow('The chain did not answer: the final tx')
    expect(await records()).toHaveLength(before)
    await world.run('record')
    expect(await records()).toHaveLength(before + 1)
  })
})

test('a built record is never changed, and no row is deleted', async () => {
  await expect(sql`update audit_record set cid = 'other' where bytes is not null`.execute(database)).rejects.toThrow(
    'is built and never changed',
  )
  await expect(sql`delete from audit_record`.execute(database)).rejects.toThrow('never changed')
})

/** By another sender of the same relayer id, past our books. */
async function settleDirectly({
  payment,
  signature,
  token,
}: Awaited<ReturnType<typeof world.candidateOf>>): Promise<void> {
  const payments = [{ ...payment, signature }]
  const anchor = keccak256('0x')
  const payload = encodeBatch({ token: payment.token, scale: token.scale, anchor, payments, cancels: [] })
  const other = localAccounts.lanes[1]
  if (other === undefined) throw new Error('no second lane')
  await world.onVault(other, 'settle', [payload])
  await world.mine()
}
