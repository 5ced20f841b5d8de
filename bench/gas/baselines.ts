import { type Address, encodeFunctionData, type Hex, hashTypedData, parseAbi, parseSignature, sliceHex } from 'viem'
import { types as paymentTypes } from '../../core/protocol/typed-data.ts'
import { type Account, amountOf, chainId, scatter, signDigest, startsAt, type Transaction } from './chain.ts'
import { type Figure, figureOf, type Spent } from './figures.ts'
import { approveAll, type Stage, tokenAbi } from './stage.ts'

/** The load of the first row of `vault`. */
const load = { payments: 300, payers: 300, payees: 1 } as const
/** The vault's withdrawal, measured before, takes a day. */
const deadline = BigInt(startsAt + 36 * 3_600)
/** Below the cap of a transaction even where every payment writes to new slots. */
const warmUpMax = 100

const multicallAbi = parseAbi([
  'struct Call3 { address target; bool allowFailure; bytes callData; }',
  'function aggregate3(Call3[] calls)',
])
const naiveAbi = parseAbi([
  'struct Payment { address payer; address payee; address token; uint256 amount; uint256 nonce; uint256 deadline; bytes8 orderRef; }',
  'function settle(Payment[] payments, bytes[] signatures)',
])
/** @see EIP-3009 */
const authorizationTypes = {
  TransferWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
} as const

/**
 * What others send for the same payments, on the same chain and token, where all parties hold some of it already. Only
 * the naive contract has slots of its own to fill before: an EIP-3009 nonce is a new slot every time.
 */
export async function measureBaselines(stage: Stage): Promise<readonly Figure[]> {
  const payers = stage.payers.slice(0, load.payers)
  for (const from of payers) {
    await stage.chain.post({ from, to: stage.token, data: approveAll(stage.naiveBatch) })
  }
  const naive = { stage, payers }
  for (const transaction of await naiveBatches({ ...naive, nonce: 0n, perTransaction: warmUpMax })) {
    await stage.chain.post(transaction)
  }
  const measured = {
    'erc20-transfer': transfers(stage, payers),
    'eip3009-single': await authorizations(stage, payers),
    'eip3009-batched': await multicall(stage, payers),
    'naive-batch': await naiveBatches({ ...naive, nonce: 1n, perTransaction: load.payments }),
  }
  const figures: Figure[] = []
  for (const [scenario, transactions] of Object.entries(measured)) {
    figures.push(figureOf({ scenario, ...load }, await sendAll(stage, transactions)))
  }
  return figures
}

async function sendAll({ chain }: Stage, transactions: readonly Transaction[]): Promise<readonly Spent[]> {
  const spent: Spent[] = []
  for (const transaction of transactions) {
    const { gasUsed } = await chain.send(transaction)
    spent.push({ gasUsed, calldata: transaction.data })
  }
  return spent
}

/** Each payer sends a plain transfer, and pays its gas in ether. */
function transfers({ token, payees }: Stage, payers: readonly Account[]): readonly Transaction[] {
  const to = payeeOf(payees)
  return payers.map((from, i) => ({
    from,
    to: token,
    data: encodeFunctionData({ abi: tokenAbi, functionName: 'transfer', args: [to, amountOf(i)] }),
  }))
}

/** A facilitator sends each payer's authorization alone. */
async function authorizations(stage: Stage, payers: readonly Account[]): Promise<readonly Transaction[]> {
  const calls = await authorizationCalls(stage, payers, 'single')
  return calls.map((data) => ({ from: stage.relayer, to: stage.token, data }))
}

/** Such authorizations, all through one multicall. */
async function multicall(stage: Stage, payers: readonly Account[]): Promise<readonly Transaction[]> {
  const calls = await authorizationCalls(stage, payers, 'batched')
  const args = [calls.map((callData) => ({ target: stage.token, allowFailure: false, callData }))] as const
  const data = encodeFunctionData({ abi: multicallAbi, functionName: 'aggregate3', args })
  return [{ from: stage.relayer, to: stage.multicall, data }]
}

async function authorizationCalls(stage: Stage, payers: readonly Account[], label: string): Promise<readonly Hex[]> {
  const to = payeeOf(stage.payees)
  const domain = { name: 'Bench Dollar', version: '1', chainId, verifyingContract: stage.token }
  const calls = payers.map(async (payer, i) => {
    const nonce = scatter(`authorization ${i} ${label}`)
    const message = { from: payer.address, to, value: amountOf(i), validAfter: 0n, validBefore: deadline, nonce }
    const digest = hashTypedData({
      domain,
      types: authorizationTypes,
      primaryType: 'TransferWithAuthorization',
      message,
    })
    const { r, s, yParity } = parseSignature(await signDigest(payer, digest))
    return encodeFunctionData({
      abi: tokenAbi,
      functionName: 'transferWithAuthorization',
      args: [payer.address, to, message.value, 0n, deadline, nonce, 27 + yParity, r, s],
    })
  })
  return Promise.all(calls)
}

type NaiveRound = {
  readonly stage: Stage
  readonly payers: readonly Account[]
  readonly nonce: bigint
  readonly perTransaction: number
}

/** The payments of `vault`, signed for the naive contract. */
async function naiveBatches({ stage, payers, nonce, perTransaction }: NaiveRound): Promise<readonly Transaction[]> {
  const payee = payeeOf(stage.payees)
  const domain = { name: 'NaiveBatch', version: '1', chainId, verifyingContract: stage.naiveBatch }
  const signed = payers.map(async (account, i) => {
    const payment = {
      payer: account.address,
      payee,
      token: stage.token,
      amount: amountOf(i),
      nonce,
      deadline: deadline + BigInt(i),
      orderRef: sliceHex(scatter(`naive order ${i} of nonce ${nonce}`), 0, 8),
    }
    const digest = hashTypedData({
      domain,
      types: { Payment: paymentTypes.Payment },
      primaryType: 'Payment',
      message: payment,
    })
    return { payment, signature: await signDigest(account, digest) }
  })
  return chunk(await Promise.all(signed), perTransaction).map((part) => {
    const args = [part.map(({ payment }) => payment), part.map(({ signature }) => signature)] as const
    const data = encodeFunctionData({ abi: naiveAbi, functionName: 'settle', args })
    return { from: stage.relayer, to: stage.naiveBatch, data }
  })
}

function payeeOf(payees: readonly Account[]): Address {
  const [payee] = payees
  if (!payee) throw new RangeError('a load needs a payee')
  return payee.address
}

function chunk<Item>(items: readonly Item[], size: number): readonly (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
