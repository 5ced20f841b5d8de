import { encodeFunctionData, erc20Abi, type PrivateKeyAccount, parseAbi } from 'viem'
import { describe, expect, test } from 'vitest'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { createWorld } from './world.ts'

const world = await createWorld({ isPull: true })
const merchant = localAccounts.merchants[0]?.address ?? '0x'
const byAllowance = { mode: 'pull', means: 'allowance' } as const
const byAuthorization = { mode: 'pull', means: 'authorization' } as const

const walletOf = (payer: PrivateKeyAccount) =>
  world.client.readContract({
    address: world.token.address,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [payer.address],
  })

describe('pulls out of wallets', () => {
  test('payments by allowance and by authorization share a batch; chain, books and ledger agree', async () => {
    const allowing = await world.payerWith(5_000_000n, 'pull')
    const authorizing = await world.payerWith(5_000_000n, 'pull')
    const paid = await world.pay(allowing, { amount: 1_000_001n }, byAllowance)
    const signed = await world.pay(authorizing, { amount: 2_000_002n }, byAuthorization)
    const more = await world.pay(allowing, { nonce: 1n, amount: 30n }, byAllowance)
    expect(paid.admitted).toMatchObject({ outcome: 'accepted', acknowledgement: { guarantee: 'optimistic' } })

    await world.run('batch', 'submit')
    expect(await world.batches()).toMatchObject([{ payment_count: 3 }])
    await world.mine()
    await world.run('confirm')
    expect(await world.stateOf(signed.id)).toBe('included')
    await world.settleDown()
    for (const { id } of [paid, signed, more]) expect(await world.stateOf(id)).toBe('finalized')

    expect(await walletOf(allowing)).toBe(5_000_000n - 1_000_031n)
    expect(await world.accountOf(allowing.address, 'pull')).toMatchObject({
      reserved: 0n,
      openNonces: [],
      state: { balance: 5_000_000n - 1_000_031n, allowance: 5_000_000n - 1_000_031n, topNonce: 1n },
    })
    const ledger = await world.ledger()
    expect(ledger.get(`payer:${allowing.address}`)).toBe(0n)
    expect(ledger.get(`payee:${merchant}`)).toBe(0n)
    expect(ledger.get('vault')).toBe(0n)
    expect(await world.reconciled()).toEqual({ breaks: [], settledCount: 3 })
  })

  test('a wallet that was emptied meanwhile fails alone, and only when its signature is dead', async () => {
    const good = await world.payerWith(1_000_000n, 'pull')
    const gone = await world.payerWith(1_000_000n, 'pull')
    const deadline = BigInt(Math.floor(world.clock.nowMillis() / 1000) + 100)
    const [paid, unpaid] = [await world.pay(good, {}, byAllowance), await world.pay(gone, { deadline }, byAllowance)]
    const transfer = parseAbi(['function transfer(address to, uint256 amount)'])
    const data = encodeFunctionData({ abi: transfer, functionName: 'transfer', args: [merchant, 1_000_000n] })
    await world.send(gone, world.token.address, data)
    await world.mine()

    await world.run('batch', 'submit')
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    expect(await world.stateOf(unpaid.id)).toBe('accepted')
    await world.client.increaseTime({ seconds: 101 })
    await world.settleDown()
    expect(await world.stateOf(unpaid.id)).toBe('failed')
    expect(await world.accountOf(gone.address, 'pull')).toMatchObject({ reserved: 0n, openNonces: [] })
  })

  test('what another relayer of the vault pulled is settled: it is never called failed', async () => {
    const payer = await world.payerWith(1_000_000n, 'pull')
    const deadline = BigInt(Math.floor(world.clock.nowMillis() / 1000) + 400)
    const paid = await world.pay(payer, { amount: 7n, deadline }, byAllowance)
    const foreign = await world.candidateOf(payer, { nonce: 1n, amount: 5n }, byAuthorization)
    const before = await world.reconciled()
    await world.settleAsAnother([paid.candidate, foreign])
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    expect(await world.accountOf(payer.address, 'pull')).toMatchObject({ reserved: 0n, state: { topNonce: 1n } })
    await world.client.increaseTime({ seconds: 401 })
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    const ledger = await world.ledger()
    expect([ledger.get('vault'), ledger.get(`payee:${merchant}`)]).toEqual([0n, 0n])
    expect(await world.reconciled()).toEqual({ breaks: [], settledCount: before.settledCount + 2 })
  })

  test('a batch of our id that these books did not send is told apart by its calldata', async () => {
    const payer = await world.payerWith(1_000_000n, 'pull')
    const paid = await world.pay(payer, { amount: 7n }, byAllowance)
    const foreign = await world.candidateOf(payer, { nonce: 1n, amount: 5n }, byAuthorization)
    const before = await world.reconciled()
    await world.settleDirectly([paid.candidate, foreign])
    await world.settleDown()
    expect(await world.stateOf(paid.id)).toBe('finalized')
    expect(await walletOf(payer)).toBe(1_000_000n - 12n)
    expect(await world.reconciled()).toEqual({ breaks: [], settledCount: before.settledCount + 2 })
  })

  test('a permit lets the settler take the amount without an approval, and one that was used is passed over', async () => {
    const payer = await world.payerWith(1_000_000n, 'pull')
    const withdrawn = encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args: [world.config.vault, 0n] })
    await world.send(payer, world.token.address, withdrawn)
    await world.mine()

    const candidate = await world.candidateOf(payer, { amount: 400_000n }, byAllowance)
    const permit = await world.permitOf(payer, { value: 500_000n, nonce: 0n })
    expect(await world.intake.admit([{ ...candidate, permit }], world.nowSeconds())).toMatchObject([
      { outcome: 'accepted' },
    ])
    // The permit must cover what is open, too: it takes the place of any allowance.
    const second = await world.candidateOf(payer, { nonce: 1n, amount: 200_000n }, byAllowance)
    expect(await world.intake.admit([{ ...second, permit }], world.nowSeconds())).toMatchObject([
      { code: 'allowance_short', fields: { available: '100000', missing: '100000' } },
    ])
    const third = await world.candidateOf(payer, { nonce: 2n, amount: 100_000n }, byAllowance)
    await world.intake.admit([{ ...third, permit }], world.nowSeconds())
    await world.run('batch', 'submit')
    await world.settleDown()
    expect([await world.stateOf(candidate.id), await world.stateOf(third.id)]).toEqual(['finalized', 'finalized'])
    expect(await walletOf(payer)).toBe(500_000n)
  })

  test('a wallet read before its payment was final gives no money back that was paid', async () => {
    const payer = await world.payerWith(1_000_000n, 'pull')
    const { chainId, vault } = world.config
    const account = { chainId, vault, payer: payer.address, token: world.token.address, mode: 'pull' } as const
    const before = await world.accountOf(payer.address, 'pull')
    if (before === undefined) throw new Error('no account')
    await world.pay(payer, { amount: 600_000n }, byAllowance)
    await world.run('batch', 'submit')
    await world.settleDown()
    const { state, asOfBlock } = before
    await world.accounts.refreshWallet(account, { final: state, head: state, asOfBlock })
    expect(await world.accountOf(payer.address, 'pull')).toMatchObject({ reserved: 0n, state: { balance: 400_000n } })
  })

  test.each([byAllowance, byAuthorization])(
    'a wallet that is emptied in front of its batch fails alone: $means',
    async (taking) => {
      const good = await world.payerWith(1_000_000n, 'pull')
      const gone = await world.payerWith(1_000_000n, 'pull')
      const unpaid: string[] = []
      for (let nonce = 0n; nonce < 60n; nonce++) unpaid.push((await world.pay(gone, { nonce, amount: 1n }, taking)).id)
      const paid = await world.pay(good, {}, taking)
      await world.run('batch')
      const transfer = parseAbi(['function transfer(address to, uint256 amount)'])
      const data = encodeFunctionData({ abi: transfer, functionName: 'transfer', args: [merchant, 1_000_000n] })
      await world.send(gone, world.token.address, data)
      await world.mine()
      await world.run('submit')
      await world.mine()
      await world.run('confirm')
      expect(await world.stateOf(paid.id)).toBe('included')
      await world.settleDown()
      expect(await world.stateOf(paid.id)).toBe('finalized')
      for (const id of unpaid) expect(await world.stateOf(id)).toBe('accepted')
    },
  )

  test('a wallet gets sixteen places in a batch at most, so that emptying it costs us no more than that', async () => {
    const payer = await world.payerWith(1_000_000n, 'pull')
    const other = await world.payerWith(1_000_000n, 'pull')
    for (let nonce = 0n; nonce < 18n; nonce++) await world.pay(payer, { nonce, amount: 1n }, byAllowance)
    await world.pay(other, { amount: 1n }, byAllowance)
    await world.run('batch')
    expect((await world.batches()).at(-1)).toMatchObject({ state: 'batched', payment_count: 17 })
    await world.run('submit')
    await world.settleDown()
    await world.run('batch', 'submit')
    expect((await world.batches()).at(-1)).toMatchObject({ state: 'submitted', payment_count: 2 })
    await world.settleDown()
  })
})
