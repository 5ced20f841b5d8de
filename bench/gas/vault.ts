import { type Address, encodeFunctionData, parseAbi, parseEventLogs, sliceHex } from 'viem'
import { decodeResults, encodeBatch, type SignedCancel, type SignedPayment } from '../../core/protocol/packed.ts'
import { cancelDigest, domainOf, domainSeparator, paymentDigest } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { type Account, amountOf, chainId, compactOf, scatter, startsAt, type Transaction } from './chain.ts'
import { type Figure, figureOf, type Spent } from './figures.ts'
import { approveAll, payersMax, relayerId, type Stage } from './stage.ts'

/** The loads of `vault`: the first two have a target, the third repeats payers, the rest is the curve over batch size. */
const loads = [
  { payments: 300, payers: 300, payees: 1 },
  { payments: 300, payers: 300, payees: 10 },
  { payments: 300, payers: 30, payees: 1 },
  { payments: 1, payers: 1, payees: 1 },
  { payments: 10, payers: 10, payees: 1 },
  { payments: 58, payers: 58, payees: 1 },
  { payments: payersMax, payers: payersMax, payees: 1 },
] as const
const cancelCount = 300
const demoPayerCount = 300
const depositAmount = 1_000_000_000n
const withdrawAmount = 25_000_000n
const withdrawDelaySeconds = 24 * 3600
const demoMintAbi = parseAbi(['function mint(address to, uint256 amount)'])

/** All that is ours. Deposits come first, as in life: they are a cost of the vault that a batch does not show. */
export async function measureVault(stage: Stage): Promise<readonly Figure[]> {
  const account = await measureAccount(stage)
  const settler = vaultSettler(stage, stage.token)
  // Fills every slot that the measured batches touch.
  await settler.pay({ payments: payersMax, payers: payersMax, payees: 10 })

  const figures: Figure[] = []
  for (const load of loads) {
    figures.push(figureOf({ scenario: 'vault', ...load }, [await settler.pay(load)]))
  }
  figures.push(...(await measureDemoToken(stage)))
  const cancels = { scenario: 'vault-cancel', payments: cancelCount, payers: cancelCount, payees: 0 }
  figures.push(figureOf(cancels, [await settler.cancel(cancelCount)]))
  return [...figures, ...account, ...(await measureWithdrawal(stage))]
}

/** The same batch with a plain ERC-20, which the vault calls once per payee. */
async function measureDemoToken(stage: Stage): Promise<readonly Figure[]> {
  const { chain, owner, payers, demoToken } = stage
  const holders = payers.slice(0, demoPayerCount)
  for (const { address } of holders) {
    const args = [address, 2n * depositAmount] as const
    const data = encodeFunctionData({ abi: demoMintAbi, functionName: 'mint', args })
    await chain.post({ from: owner, to: demoToken, data })
  }
  await openAccounts(stage, holders, demoToken)
  const settler = vaultSettler(stage, demoToken)
  const load = { payments: demoPayerCount, payers: demoPayerCount }
  await settler.pay({ ...load, payees: 10 })
  const figures: Figure[] = []
  for (const payees of [1, 10]) {
    const scenario = 'vault-demo-token'
    figures.push(figureOf({ scenario, ...load, payees }, [await settler.pay({ ...load, payees })]))
  }
  return figures
}

/** Opens every payer's account, and measures it on the last one: by then the vault itself holds the token. */
async function measureAccount(stage: Stage): Promise<readonly Figure[]> {
  const last = lastOf(stage.payers)
  await openAccounts(stage, stage.payers.slice(0, -1), stage.token)
  const [approve, deposit] = openingOf(stage, last, stage.token)
  return [
    await measureCall(stage, 'vault-approve', approve),
    await measureCall(stage, 'vault-deposit-first', deposit),
    await measureCall(stage, 'vault-deposit-topup', deposit),
  ]
}

/** A part of the balance, so that the account stays open. The second transaction is possible after a day. */
async function measureWithdrawal(stage: Stage): Promise<readonly Figure[]> {
  const { chain, payers, vault, token } = stage
  const from = lastOf(payers)
  const request = encodeFunctionData({
    abi: vaultAbi,
    functionName: 'requestWithdraw',
    args: [token, withdrawAmount],
  })
  const withdraw = encodeFunctionData({ abi: vaultAbi, functionName: 'withdraw', args: [token] })
  const requested = await measureCall(stage, 'vault-withdraw-request', { from, to: vault, data: request })
  await chain.advance(withdrawDelaySeconds)
  return [requested, await measureCall(stage, 'vault-withdraw', { from, to: vault, data: withdraw })]
}

async function measureCall({ chain }: Stage, scenario: string, call: Transaction): Promise<Figure> {
  const { gasUsed } = await chain.send(call)
  return figureOf({ scenario, payments: 1, payers: 1, payees: 0 }, [{ gasUsed, calldata: call.data }])
}

async function openAccounts(stage: Stage, payers: readonly Account[], token: Address): Promise<void> {
  for (const payer of payers) {
    for (const transaction of openingOf(stage, payer, token)) await stage.chain.post(transaction)
  }
}

/** Approval, once per payer, and the first deposit. */
function openingOf({ vault }: Stage, from: Account, token: Address): readonly [Transaction, Transaction] {
  const args = [token, depositAmount, relayerId] as const
  return [
    { from, to: token, data: approveAll(vault) },
    { from, to: vault, data: encodeFunctionData({ abi: vaultAbi, functionName: 'deposit', args }) },
  ]
}

type Counts = { readonly payments: number; readonly payers: number; readonly payees: number }

/** Signs and settles batches of one token, each payer's nonces in order. */
function vaultSettler({ chain, relayer, vault, ...stage }: Stage, token: Address) {
  const separator = domainSeparator(domainOf({ chainId, vault }))
  const nextNonce = new Map<Address, bigint>()
  const takeNonce = (payer: Address): bigint => {
    const nonce = nextNonce.get(payer) ?? 1n
    nextNonce.set(payer, nonce + 1n)
    return nonce
  }

  async function settle(payments: readonly SignedPayment[], cancels: readonly SignedCancel[]): Promise<Spent> {
    const anchor = scatter('anchor')
    const blob = encodeBatch({ token, scale: 1n, anchor, payments, cancels })
    const calldata = encodeFunctionData({ abi: vaultAbi, functionName: 'settle', args: [blob] })
    const { gasUsed, logs } = await chain.send({ from: relayer, to: vault, data: calldata })
    const [event] = parseEventLogs({ abi: vaultAbi, eventName: 'BatchSettled', logs: [...logs] })
    const results = event ? decodeResults(event.args.results, payments.length + cancels.length) : []
    // A record that fails is cheap, and would make the figure look better than it is.
    if (results.length === 0 || results.includes(false)) throw new Error('a record of the batch took no effect')
    return { gasUsed, calldata }
  }

  async function pay({ payments: count, payers, payees }: Counts): Promise<Spent> {
    const payments: SignedPayment[] = []
    for (let i = 0; i < count; i++) {
      const payer = at(stage.payers, i % payers)
      const nonce = takeNonce(payer.address)
      const payment = {
        payer: payer.address,
        payee: at(stage.payees, i % payees).address,
        token,
        amount: amountOf(i),
        nonce,
        deadline: BigInt(startsAt + 3_600 + i),
        orderRef: sliceHex(scatter(`order ${i} of nonce ${nonce}`), 0, 8),
      }
      payments.push({ ...payment, signature: await compactOf(payer, paymentDigest(separator, payment)) })
    }
    return settle(payments, [])
  }

  async function cancel(count: number): Promise<Spent> {
    const cancels: SignedCancel[] = []
    for (let i = 0; i < count; i++) {
      const payer = at(stage.payers, i)
      const nonce = takeNonce(payer.address)
      const terms = { payer: payer.address, token, nonce, deadline: BigInt(startsAt + 3_600 + i) }
      cancels.push({ ...terms, signature: await compactOf(payer, cancelDigest(separator, terms)) })
    }
    return settle([], cancels)
  }

  return { pay, cancel }
}

function at(accounts: readonly Account[], index: number): Account {
  const account = accounts[index]
  if (!account) throw new RangeError(`account ${index} of ${accounts.length}`)
  return account
}

function lastOf(accounts: readonly Account[]): Account {
  return at(accounts, accounts.length - 1)
}
