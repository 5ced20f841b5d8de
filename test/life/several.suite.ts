import { expect, test, vi } from 'vitest'
import { isLegalStep } from '../../core/intent.ts'
import { freePort } from '../../scripts/embedded/port.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { bodyOf, createClient } from '../../scripts/local/client.ts'
import { fundPayers } from '../../scripts/local/fund.ts'
import { openHome } from '../../scripts/local/home.ts'
import { startSystem } from '../../scripts/local/system.ts'
import { eventReader, type Told } from '../api/event-reader.ts'

type Prepared = {
  readonly intent: object
  readonly typedData: Parameters<NonNullable<(typeof localAccounts.payers)[number]>['signTypedData']>[0]
}
const paymentsMax = 16

/** Two APIs and two relayers share nothing but Postgres, and Redis if it is given. */
export function testSeveral(name: string, redisUrl?: string): void {
  test(`two APIs and two relayers on ${name} settle what comes to either, and both tell every state once and in order`, async () => {
    if (redisUrl !== undefined) vi.stubEnv('REDIS_URL', redisUrl)
    const home = await openHome(undefined)
    const system = await startSystem({
      options: {
        ...{ mode: 'serve', isOnce: false, isJson: false, chain: 'hardhat' },
        ...{ port: await freePort(), rpcPort: undefined, data: undefined },
      },
      home,
      onStep: () => undefined,
      processCount: 2,
    })
    try {
      await fundPayers(system)
      const { id, secret } = system.apps.wallet
      const headers = { authorization: `Basic ${btoa(`${id}:${secret}`)}` }
      const followed = await Promise.all(system.apis.map((api) => eventReader(`${api}/v1/stream`, headers)))

      const lives = await Promise.all(
        localAccounts.payers.slice(0, paymentsMax).map(async (payer, index) => {
          const [api, other] = index % 2 === 0 ? system.apis : system.apis.toReversed()
          const client = createClient(api ?? '', system.apps.wallet)
          const { chainId, tokens } = system.deployment
          const terms = {
            chainId,
            token: tokens[0]?.address,
            payee: localAccounts.merchants[0]?.address,
            amount: '1000000',
          }
          const prepared = bodyOf(
            await client.post<Prepared>('/v1/intents/prepare', { ...terms, payer: payer.address }),
          )
          const signature = await payer.signTypedData(prepared.typedData)
          const submission = { intent: prepared.intent, signature }
          const paid = bodyOf(await client.post<{ id: string; watchUrl: string }>('/v1/intents', submission))
          // The link was made by one process and is opened on the other.
          const { pathname, search } = new URL(paid.watchUrl)
          return { id: paid.id, told: await (await eventReader(`${other}${pathname}${search}`, {})).rest() }
        }),
      )
      for (const { told } of lives) assertLife(told)

      const total = lives.reduce((sum, { told }) => sum + told.length, 0)
      for (const stream of followed) {
        const all = await stream.take(total)
        expect(new Set(all.map((event) => event.id)).size).toBe(total)
        for (const life of lives) {
          const states = (events: readonly Told[]) => events.map(({ data }) => [data.sequence, data.state])
          expect(states(all.filter(({ data }) => data.intent === life.id))).toEqual(states(life.told))
        }
        stream.close()
      }
    } finally {
      await system.stop()
      await home.leave()
      vi.unstubAllEnvs()
    }
  }, 240_000)
}

function assertLife(told: readonly Told[]): void {
  const states = told.map(({ data }) => data.state)
  expect(told.map(({ data }) => data.sequence)).toEqual(told.map((_, index) => index + 1))
  expect([states[0], states.at(-1)]).toEqual(['accepted', 'finalized'])
  for (const [index, state] of states.entries()) {
    if (index > 0) expect(isLegalStep(states[index - 1], state), `${states[index - 1]} to ${state}`).toBe(true)
  }
}
