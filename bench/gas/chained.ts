import { type Address, encodeFunctionData, type Hex, parseEventLogs, sliceHex } from 'viem'
import { decodeResults } from '../../core/protocol/packed.ts'
import { chainedLink, encodeChainedBatch, type Link, type Run } from '../../core/protocol/packed-chained.ts'
import { chainedPaymentDigest, domainOf, domainSeparator } from '../../core/protocol/typed-data.ts'
import { vaultAbi } from '../../core/protocol/vault-abi.ts'
import { type Account, amountOf, chainId, compactOf, scatter, startsAt } from './chain.ts'
import { type Figure, figureOf, type Spent } from './figures.ts'
import { relayerId, type Stage } from './stage.ts'

/** The first row of each has a target. `chained-100` shows what is left as the fixed part of a batch is spread further. */
const loads = [
  { scenario: 'chained-10', payments: 300, payers: 30, payees: 1 },
  { scenario: 'chained-10', payments: 300, payers: 30, payees: 10 },
  { scenario: 'chained-30', payments: 300, payers: 10, payees: 1 },
  { scenario: 'chained-100', payments: 1_000, payers: 10, payees: 1 },
  { scenario: 'chained-100', payments: 300, payers: 3, payees: 1 },
  { scenario: 'chained-100', payments: 3_000, payers: 30, payees: 1 },
] as const
const payersMax = 30
const depositAmount = 1_000_000_000_000n / 2n
const noHead: Hex = `0x${'00'.repeat(16)}`

/** Chained accounts: one signature settles all of a payer's payments of a batch. */
export async function measureChained(stage: Stage): Promise<readonly Figure[]> {
  const { chain, vault, token } = stage
  for (const from of stage.payers.slice(0, payersMax)) {
    const args = [token, depositAmount, relayerId] as const
    await chain.post({
      from,
      to: vault,
      data: encodeFunctionData({ abi: vaultAbi, functionName: 'depositChained', args }),
    })
  }
  const settle = chainedSettler(stage)
  // Fills every slot that the measured batches touch.
  await settle({ payments: 2 * payersMax, payers: payersMax, payees: 10 })
  const figures: Figure[] = []
  for (const load of loads) figures.push(figureOf(load, [await settle(load)]))
  return figures
}

type Counts = { readonly payments: number; readonly payers: number; readonly payees: number }

/** Signs and settles batches of runs, each payer's chain going on where it stopped. */
function chainedSettler({ chain, relayer, vault, token, ...stage }: Stage) {
  const separator = domainSeparator(domainOf({ chainId, vault }))
  const ends = new Map<Address, { readonly sequence: bigint; readonly head: Hex }>()

  async function runOf(payer: Account, count: number, payees: number): Promise<Run> {
    let { sequence, head } = ends.get(payer.address) ?? { sequence: 0n, head: noHead }
    const links: Link[] = []
    let digest: Hex = '0x'
    for (let i = 0; i < count; i++) {
      sequence += 1n
      const link: Link = {
        payee: payeeOf(stage.payees, i % payees),
        amount: amountOf(i),
        deadline: BigInt(startsAt + 26 * 3_600 + i),
        orderRef: sliceHex(scatter(`chained order ${sequence} of ${payer.address}`), 0, 8),
      }
      digest = chainedPaymentDigest(separator, { ...link, payer: payer.address, token, sequence, previous: head })
      head = chainedLink(link, head, 1n)
      links.push(link)
    }
    ends.set(payer.address, { sequence, head })
    return { payer: payer.address, links, signature: await compactOf(payer, digest) }
  }

  return async ({ payments, payers, payees }: Counts): Promise<Spent> => {
    const signers = stage.payers.slice(0, payers)
    const runs = await Promise.all(signers.map((payer) => runOf(payer, payments / payers, payees)))
    const blob = encodeChainedBatch({ token, scale: 1n, anchor: scatter('anchor'), runs })
    const calldata = encodeFunctionData({ abi: vaultAbi, functionName: 'settleChained', args: [blob] })
    const { gasUsed, logs } = await chain.send({ from: relayer, to: vault, data: calldata })
    const [event] = parseEventLogs({ abi: vaultAbi, eventName: 'ChainedBatchSettled', logs: [...logs] })
    const results = event ? decodeResults(event.args.results, runs.length) : []
    // A run that fails is cheap, and would make the figure look better than it is.
    if (results.length === 0 || results.includes(false)) throw new Error('a run of the batch took no effect')
    return { gasUsed, calldata }
  }
}

function payeeOf(payees: readonly Account[], index: number): Address {
  const payee = payees[index]
  if (!payee) throw new RangeError(`payee ${index} of ${payees.length}`)
  return payee.address
}
