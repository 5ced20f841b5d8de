import { type Address, encodeFunctionData, type Hex, parseEventLogs, sliceHex } from 'viem'
import { decodeResults } from '../../core/protocol/packed.ts'
import { encodePullBatch, type SignedPull } from '../../core/protocol/packed-pull.ts'
import { pullSettlerAbi } from '../../core/protocol/pull-settler-abi.ts'
import {
  authorizationDigest,
  domainOf,
  domainSeparator,
  type PullPayment,
  pullAuthorization,
  pullPaymentDigest,
} from '../../core/protocol/typed-data.ts'
import { type Account, amountOf, chainId, compactOf, scatter, startsAt } from './chain.ts'
import { type Figure, figureOf, type Spent } from './figures.ts'
import { approveAll, type Stage, tokenSeparator } from './stage.ts'

/** One payment per payer: as many cold wallets as there are payments. */
const loads = [
  { scenario: 'pull-allowance', payments: 300, payers: 300, payees: 1 },
  { scenario: 'pull-allowance', payments: 300, payers: 300, payees: 10 },
  { scenario: 'pull-allowance', payments: 300, payers: 30, payees: 1 },
  { scenario: 'pull-direct', payments: 300, payers: 300, payees: 1 },
  { scenario: 'pull-3009', payments: 300, payers: 300, payees: 1 },
] as const
const payersMax = 300
/** Below the cap of a transaction even where every payment writes to new slots. */
const warmUpMax = 100

type Load = (typeof loads)[number]

/** Payments out of the payers' wallets. */
export async function measurePull(stage: Stage): Promise<readonly Figure[]> {
  const payers = stage.payers.slice(0, payersMax)
  for (const from of payers) {
    await stage.chain.post({ from, to: stage.token, data: approveAll(stage.pullSettler) })
  }
  const settle = pullSettler(stage)
  // Fills every slot that the measured batches touch.
  for (let at = 0; at < payersMax; at += warmUpMax) {
    await settle({ scenario: 'pull-allowance', payments: warmUpMax, payees: 10 }, payers.slice(at, at + warmUpMax))
  }
  const figures: Figure[] = []
  for (const load of loads) figures.push(figureOf(load, [await settle(load, payers.slice(0, load.payers))]))
  return figures
}

/** Signs and settles batches, each payer's nonces in order. */
function pullSettler({ chain, relayer, pullSettler, token, ...stage }: Stage) {
  const domain = domainOf({ chainId, vault: pullSettler })
  const separator = domainSeparator(domain)
  const nextNonce = new Map<Address, bigint>()

  function digestOf(payment: PullPayment, scenario: Load['scenario']): Hex {
    if (scenario !== 'pull-3009') return pullPaymentDigest(separator, payment)
    return authorizationDigest(tokenSeparator(token), pullAuthorization(domain, payment))
  }

  async function signed(account: Account, i: number, load: Pick<Load, 'scenario' | 'payees'>): Promise<SignedPull> {
    const nonce = nextNonce.get(account.address) ?? 1n
    nextNonce.set(account.address, nonce + 1n)
    const payee = stage.payees[i % load.payees]
    if (!payee) throw new RangeError(`payee ${i % load.payees} of ${stage.payees.length}`)
    const payment = {
      payer: account.address,
      payee: payee.address,
      token,
      amount: amountOf(i),
      nonce,
      deadline: BigInt(startsAt + 26 * 3_600 + i),
      orderRef: sliceHex(scatter(`pulled order ${i} of nonce ${nonce}`), 0, 8),
    }
    return { ...payment, signature: await compactOf(account, digestOf(payment, load.scenario)) }
  }

  return async (
    load: Pick<Load, 'scenario' | 'payees'> & { readonly payments: number },
    payers: readonly Account[],
  ): Promise<Spent> => {
    const records: SignedPull[] = []
    for (let i = 0; i < load.payments; i++) {
      const payer = payers[i % payers.length]
      if (!payer) throw new RangeError(`payer ${i} of ${payers.length}`)
      records.push(await signed(payer, i, load))
    }
    const isAllowance = load.scenario !== 'pull-3009'
    const blob = encodePullBatch({
      ...{ token, scale: 1n, anchor: scatter('anchor'), permits: [] },
      payout: load.scenario === 'pull-direct' ? 'direct' : 'netted',
      allowances: isAllowance ? records : [],
      authorizations: isAllowance ? [] : records,
    })
    const calldata = encodeFunctionData({ abi: pullSettlerAbi, functionName: 'settlePull', args: [blob] })
    const { gasUsed, logs } = await chain.send({ from: relayer, to: pullSettler, data: calldata })
    const [event] = parseEventLogs({ abi: pullSettlerAbi, eventName: 'PullBatchSettled', logs: [...logs] })
    const results = event ? decodeResults(event.args.results, records.length) : []
    // A record that fails is cheap, and would make the figure look better than it is.
    if (results.length === 0 || results.includes(false)) throw new Error('a payment of the batch took no effect')
    return { gasUsed, calldata }
  }
}
