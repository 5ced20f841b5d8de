import type { PrivateKeyAccount } from 'viem/accounts'
import { beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../api/app.ts'
import { contractKey } from '../../core/config.ts'
import { ChainUnavailableError } from '../../core/ports/chain.ts'
import { createWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ payerCount: 0, isPull: true })
})

const termsOf = (payer: PrivateKeyAccount, fields: object = {}) => {
  const { chainId, payee, token } = world
  return { ...{ chainId, payer: payer.address, payee, token: token.address, amount: '1000000' }, ...fields }
}
const chosen = async (payer: PrivateKeyAccount, fields: object = {}) => {
  const { body } = await world.post('/v1/intents/prepare', termsOf(payer, fields))
  const warnings = body.warnings?.map(({ code }: { code: string }) => code)
  return body.code ?? [body.intent.mode, body.intent.means, ...warnings]
}

describe('who names no mode', () => {
  test('pays from the vault before the wallet, and from the independent account before the chained one', async () => {
    const payer = await world.fund()
    await world.fillWallet(payer, 9_000_000n, 9_000_000n)
    expect(await chosen(payer)).toEqual(['pull', 'allowance'])
    await world.depositChainedFor(payer, 2_000_000n)
    expect(await chosen(payer)).toEqual(['chained', undefined])
    await world.depositFor(payer, 1_500_000n)
    expect(await chosen(payer)).toEqual(['independent', undefined])
  })

  test('pays from the first account that has enough', async () => {
    const payer = await world.fund()
    await world.depositFor(payer, 999_999n)
    await world.depositChainedFor(payer, 1_999_999n)
    await world.fillWallet(payer, 3_000_000n, 2_000_000n)
    expect(await chosen(payer)).toEqual(['chained', undefined])
    expect(await chosen(payer, { amount: '999999' })).toEqual(['independent', undefined])
    expect(await chosen(payer, { amount: '2000000' })).toEqual(['pull', 'allowance'])
    expect(await chosen(payer, { amount: '2000001' })).toEqual(['pull', 'authorization'])
    expect(await chosen(payer, { amount: '3000001' })).toEqual(['independent', undefined, 'insufficient_balance'])
  })

  test('is told of the mode that it names, whatever the others have', async () => {
    const payer = await world.fund()
    await world.depositFor(payer, 5_000_000n)
    expect(await chosen(payer, { mode: 'chained' })).toBe('account_not_bound')
    expect(await chosen(payer, { mode: 'pull' })).toBe('insufficient_balance')
    expect(await chosen(payer, { mode: 'independent' })).toEqual(['independent', undefined])
  })

  test('and has nothing anywhere has no account, and leaves nothing in the books', async () => {
    const payer = await world.fund()
    const before = await world.stored()
    expect(await chosen(payer)).toBe('account_not_bound')
    expect(await world.stored()).toEqual(before)
  })

  test('is not sent to another account because the chain does not answer about the first', async () => {
    const payer = await world.fund()
    await world.fillWallet(payer, 9_000_000n, 9_000_000n)
    const silent = { ...world.evm, accounts: () => Promise.reject(new ChainUnavailableError('accounts')) }
    const chains = new Map(world.ports.chains).set(contractKey(world), silent)
    const answer = await createApp({ ...world.ports, chains }).request('/v1/intents/prepare', {
      method: 'POST',
      body: JSON.stringify(termsOf(payer)),
      headers: {
        authorization: `Basic ${btoa('wallet:wallet-secret')}`,
        'content-type': 'application/json',
        'idempotency-key': 'key-with-a-silent-vault',
      },
    })
    expect(answer.status).toBe(503)
    expect(await chosen(payer)).toEqual(['pull', 'allowance'])
  })
})
