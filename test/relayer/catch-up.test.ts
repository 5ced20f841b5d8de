import { expect, test } from 'vitest'
import { createWorld } from './world.ts'

test.each([
  ['vault', false],
  ['pull settler', true],
])('blocks from before the %s was deployed are passed, and then it settles', async (_name, isPull) => {
  const world = await createWorld({ isPull, olderBlocks: 120 })
  const mode = isPull ? 'pull' : 'independent'
  const payer = await world.payerWith(1_000_000n, mode)
  const taking = isPull ? ({ mode: 'pull', means: 'allowance' } as const) : ({ mode: 'independent' } as const)
  const paid = await world.pay(payer, {}, taking)
  await world.run('batch', 'submit')
  await world.settleDown()
  expect(await world.stateOf(paid.id)).toBe('finalized')
})
