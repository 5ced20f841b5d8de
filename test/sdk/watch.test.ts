import { beforeAll, describe, expect, test } from 'vitest'
import { createWallet } from '../../sdk/wallet.ts'
import { type StateChange, watch } from '../../sdk/watch.ts'
import { createWorld, serve, type World } from './world.ts'

const life = ['accepted', 'batched', 'submitted', 'included', 'finalized']
let world: World

beforeAll(async () => {
  world = await createWorld()
  const [payer] = world.payers
  if (payer !== undefined) await world.depositFor(payer)
  await world.see()
})

async function paid() {
  const [payer] = world.payers
  if (payer === undefined) throw new Error('no payer')
  const client = world.clientOf('wallet')
  const wallet = createWallet({ client, facts: await client.facts(), provider: world.walletOf(payer).provider })
  const { submitted } = await wallet.pay(world.terms(payer, { mode: 'independent' }))
  return submitted
}

async function told(watching: AsyncIterable<StateChange>, onEach: (change: StateChange) => unknown = () => undefined) {
  const changes: StateChange[] = []
  for await (const change of watching) {
    changes.push(change)
    await onEach(change)
  }
  return changes
}

describe('a payment of the real API', () => {
  test('is told from its first state to its last, and the watching ends', async () => {
    const { id, watchUrl } = await paid()
    const changes = await told(watch(watchUrl), async ({ state }) => {
      if (state === 'accepted') await world.settle(id)
    })
    expect(changes.map(({ state }) => state)).toEqual(life)
    expect(changes.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
    expect(changes.at(-1)).toMatchObject({ intent: id, tx: `0x${'ab'.repeat(32)}`, block: '7' })
    expect(await told(watch(watchUrl, { after: 5 }))).toEqual([])
  })

  test('goes on where it was when the connection is cut after every event', async () => {
    const { id, watchUrl } = await paid()
    await world.settle(id)
    const from: (string | null)[] = []
    // Lets one event through, and half of the next.
    const { url } = await serve(async (request) => {
      from.push(request.headers.get('last-event-id'))
      const response = await fetch(watchUrl, { headers: { ...Object.fromEntries(request.headers), host: '' } })
      const text = await response.text()
      const [head = '', ...events] = text.split(/(?=id: )/)
      const part = events.length < 2 ? text : `${head}${events[0]}${events[1]?.slice(0, 30)}`
      return new Response(part, { headers: { 'content-type': 'text/event-stream' } })
    })
    const changes = await told(watch(url))
    expect(changes.map(({ state }) => state)).toEqual(life)
    expect(from).toEqual([null, '1', '2', '3', '4'])
  })

  test('is not watched with another link', async () => {
    const { watchUrl } = await paid()
    const watching = told(watch(`${watchUrl.slice(0, -2)}00`))
    await expect(watching).rejects.toMatchObject({ name: 'IceError', code: 'not_found' })
  })

  test('is left at once when the page has seen enough', async () => {
    const { watchUrl } = await paid()
    const abort = new AbortController()
    const reason = new Error('the page was closed')
    const watching = told(watch(watchUrl, { signal: abort.signal }), () => abort.abort(reason))
    await expect(watching).rejects.toBe(reason)
  })
})

describe('a stream that fails', () => {
  const event = (sequence: number, state: string) =>
    `id: ${sequence}\nevent: state\ndata: {"intent":"pi_1","sequence":${sequence},"state":"${state}"}\n\n`

  test('is tried again after 503 and silence, and tells nothing twice', async () => {
    let tries = 0
    const { url } = await serve(() => {
      tries++
      if (tries === 1) return Response.json({ code: 'overloaded', retryable: true }, { status: 503 })
      if (tries === 2) return new Response(new ReadableStream({ start: () => undefined }))
      // A server that forgets where the client was.
      return new Response(
        `retry: 1000\n\n: heartbeat\n\n${event(1, 'accepted')}${tries > 3 ? event(2, 'expired') : ''}`,
      )
    })
    const changes = await told(watch(url, { silenceMillisMax: 200 }))
    expect(changes.map(({ state }) => state)).toEqual(['accepted', 'expired'])
    expect(tries).toBe(4)
  })

  test('is given up after as many failures in a row as it may have', async () => {
    let tries = 0
    const { url } = await serve(() => {
      tries++
      return new Response('')
    })
    const watching = told(watch(url, { failuresMax: 3 }))
    await expect(watching).rejects.toMatchObject({ name: 'IceUnreachableError', tries: 3 })
    expect(tries).toBe(3)
  })
})
