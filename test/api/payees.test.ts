import { sql } from 'kysely'
import type { TypedDataDefinition } from 'viem'
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { createWorld } from './world.ts'

const world = await createWorld({ payerCount: 1 })
const { chainId, database, post, get, send } = world
const fresh = () => privateKeyToAccount(generatePrivateKey())
type AppName = 'wallet' | 'merchant'

async function prepared(payee: PrivateKeyAccount, as: AppName = 'merchant') {
  const answer = await post('/v1/payees/prepare', { chainId, payee: payee.address }, { as })
  expect(answer.status).toBe(200)
  return answer.body
}
async function proofOf(payee: PrivateKeyAccount, as: AppName = 'merchant') {
  const { typedData, issuedAt } = await prepared(payee, as)
  return {
    chainId,
    payee: payee.address,
    issuedAt,
    signature: await payee.signTypedData(typedData as TypedDataDefinition),
  }
}
const prove = (body: object, as: AppName = 'merchant') => post('/v1/payees', body, { as })
const mine = async (as: AppName = 'merchant') => (await get('/v1/payees', { as })).body.items
/** As if this much time had passed. */
const later = (seconds: number) => {
  world.offset.millis += seconds * 1000
}

describe('a payee', () => {
  test('is proved by its signature over words that a person can read, and is listed and given up', async () => {
    const payee = fresh()
    const { typedData } = await prepared(payee)
    expect(typedData).toMatchObject({
      primaryType: 'PayeeOwnership',
      domain: { name: 'ICESettlement', chainId },
      message: { payee: payee.address, app: 'merchant' },
    })
    expect(Object.values(typedData.message).join('')).not.toContain(' ')
    const proof = await proofOf(payee)
    const proved = await prove(proof)
    expect([proved.status, proved.body]).toEqual([201, { chainId, payee: payee.address, issuedAt: proof.issuedAt }])
    expect((await prove(proof)).status).toBe(201)
    expect(await mine()).toContainEqual(proved.body)
    const gone = await send('DELETE', `/v1/payees/${chainId}/${payee.address}`, undefined, { as: 'merchant' })
    expect(gone.status).toBe(204)
    expect(await mine()).not.toContainEqual(proved.body)
  })

  test('is not proved by another key, for another app, chain or time', async () => {
    const payee = fresh()
    const proof = await proofOf(payee)
    const stranger = await proofOf(fresh())
    const wrong: readonly (readonly [object, AppName, number, string])[] = [
      [{ ...proof, signature: stranger.signature }, 'merchant', 422, 'signature_mismatch'],
      [proof, 'wallet', 422, 'signature_mismatch'],
      [{ ...proof, issuedAt: `${BigInt(proof.issuedAt) - 1n}` }, 'merchant', 422, 'signature_mismatch'],
      [{ ...proof, signature: world.highS(proof.signature) }, 'merchant', 422, 'signature_malformed'],
      [{ ...proof, chainId: 1 }, 'merchant', 422, 'wrong_chain'],
      [{ ...proof, issuedAt: 7 }, 'merchant', 400, 'invalid_request'],
      [{ ...proof, app: 'wallet' }, 'merchant', 400, 'invalid_request'],
    ]
    for (const [body, as, status, code] of wrong) {
      const answer = await prove(body, as)
      expect([answer.status, answer.body.code]).toEqual([status, code])
    }
    expect(await mine()).not.toContainEqual(expect.objectContaining({ payee: payee.address }))
  })

  test('is proved within 15 minutes of its signature, and not by one from the future', async () => {
    const payee = fresh()
    const proof = await proofOf(payee)
    later(15 * 60 + 1)
    expect((await prove(proof)).body).toMatchObject({ code: 'payee_proof_expired', issuedAt: proof.issuedAt })
    const ahead = await proofOf(payee)
    later(-62)
    expect((await prove(ahead)).body.code).toBe('payee_proof_expired')
    later(2)
    expect((await prove(ahead)).status).toBe(201)
  })

  test('goes to the app it named last; an older signature does not bring it back', async () => {
    const payee = fresh()
    const first = await proofOf(payee)
    const rival = await proofOf(payee, 'wallet')
    expect((await prove(first)).status).toBe(201)
    later(1)
    const second = await proofOf(payee, 'wallet')
    expect((await prove(second, 'wallet')).status).toBe(201)
    for (const [proof, as] of [
      [first, 'merchant'],
      [rival, 'wallet'],
    ] as const) {
      expect((await prove(proof, as)).body).toMatchObject({ code: 'payee_proof_superseded', stored: second.issuedAt })
    }
    expect(await mine()).not.toContainEqual(expect.objectContaining({ payee: payee.address }))
    // Given up by its last app: what was signed before stays worthless, for every app.
    await send('DELETE', `/v1/payees/${chainId}/${payee.address}`, undefined, { as: 'wallet' })
    for (const [proof, as] of [
      [first, 'merchant'],
      [second, 'wallet'],
    ] as const) {
      expect((await prove(proof, as)).body.code).toBe('payee_proof_superseded')
    }
  })

  test('of another app cannot be given up, nor can what is none', async () => {
    const payee = fresh()
    await prove(await proofOf(payee))
    for (const [address, status] of [
      [payee.address, 404],
      [fresh().address, 404],
      ['0x12', 400],
    ] as const) {
      const answer = await send('DELETE', `/v1/payees/${chainId}/${address}`, undefined, { as: 'wallet' })
      expect(answer.status).toBe(status)
    }
    expect(await mine()).toContainEqual(expect.objectContaining({ payee: payee.address }))
  })

  test('is refused to an app that owns a thousand, which can prove them anew and give one up for another', async () => {
    await sql`delete from payee_owner`.execute(database)
    await sql`
      insert into payee_owner (chain_id, payee, app_id, issued_at, signature)
      select ${chainId}, decode(lpad(to_hex(n), 40, '0'), 'hex'), 'merchant', 1, ${Buffer.alloc(64)}
      from generate_series(1, 999) as n`.execute(database)
    const proofs = [await proofOf(fresh()), await proofOf(fresh())]
    const answers = await Promise.all(proofs.map((proof) => prove(proof)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409])
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'payees_full', countMax: 1_000 })
    const [stored, refused] = answers[0]?.status === 201 ? proofs : proofs.toReversed()
    expect((await prove(stored ?? {})).status).toBe(201)
    // The limit of one app is not another's.
    expect((await prove(await proofOf(fresh(), 'wallet'), 'wallet')).status).toBe(201)
    await send('DELETE', `/v1/payees/${chainId}/${stored?.payee}`, undefined, { as: 'merchant' })
    expect((await prove(refused ?? {})).status).toBe(201)
  })

  test('is found page by page', async () => {
    await sql`delete from payee_owner`.execute(database)
    const payees = Array.from({ length: 5 }, fresh)
    for (const payee of payees) await prove(await proofOf(payee))
    const found: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await get(`/v1/payees?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`, { as: 'merchant' })
      found.push(...body.items.map((each: { payee: string }) => each.payee))
      cursor = body.nextCursor
    }
    expect(found.toSorted()).toEqual(payees.map(({ address }) => address).toSorted())
    expect((await get('/v1/payees?cursor=x', { as: 'merchant' })).status).toBe(400)
  })
})

test('its app may read payments to it, from the moment it is proved, and no longer than it is', async () => {
  const [payer] = world.payers
  if (payer === undefined) throw new Error('no payer')
  await world.depositFor(payer)
  const payee = fresh()
  const wanted = { chainId, payer: payer.address, payee: payee.address, token: world.token.address, amount: '1000000' }
  const { body } = await post('/v1/intents/prepare', wanted)
  const { body: intent } = await post('/v1/intents', await world.signed(payer, body))
  const read = () => get(`/v1/intents/${intent.id}`, { as: 'merchant' })
  expect((await read()).status).toBe(404)
  later(1)
  await prove(await proofOf(payee))
  expect((await read()).body).toMatchObject({ id: intent.id, state: 'accepted' })
  await send('DELETE', `/v1/payees/${chainId}/${payee.address}`, undefined, { as: 'merchant' })
  expect((await read()).status).toBe(404)
})
