import type { Address } from 'viem'
import { localAccounts } from '../local/accounts.ts'
import { createClient } from '../local/client.ts'
import type { System } from '../local/system.ts'
import { archive } from './archive.ts'
import { callback, listen } from './callback.ts'
import { accountOf, deposit, tokenBalance, vaultBalance } from './deposit.ts'
import { payOtherWays } from './modes.ts'
import { order } from './order.ts'
import { checkReconciled } from './reconciled.ts'
import { type Acknowledged, type Payer, type Scene, showIn } from './scene.ts'
import { follow, measureTransferGas } from './settle.ts'
import { sign } from './sign.ts'
import { submit } from './submit.ts'
import type { Terminal } from './terminal.ts'

/** The life of a payment, played on a real system. @throws Error at the first fact that is not as it must be. */
export async function playStory(system: System, terminal: Terminal): Promise<void> {
  const [token] = system.deployment.tokens
  if (token === undefined) throw new Error('no token is deployed')
  const scene: Scene = {
    system,
    wallet: createClient(system.api, system.apps.wallet),
    merchant: createClient(system.api, system.apps.merchant),
    token,
    show: showIn(token),
  }
  const merchantsBefore = await Promise.all(localAccounts.merchants.map(({ address }) => tokenBalance(scene, address)))

  const callbacks = await terminal.step('Listen', (lines) => listen(scene, lines))
  const payers = await terminal.step('Deposit', (lines) => deposit(scene, lines))
  const planned = await terminal.step('Order', (lines) => order(scene, payers, lines))
  const signed = await terminal.step('Sign', (lines) => sign(scene, planned, lines))
  const independent = await terminal.step('Accept', (lines) => submit(scene, signed, lines))
  const others = await terminal.step('Modes', (lines) => payOtherWays(scene, lines))
  const payments = [...independent, ...others.payments]

  await terminal.step('Settle', async (lines) => {
    const batches = await follow(scene, independent, 'included', lines)
    for (const { id, paymentCount, blockNumber, txHash } of batches) {
      lines.tell(`one batch of ${paymentCount} (${id}) in block ${blockNumber}, tx ${txHash}`)
    }
    const gas = batches.reduce((sum, { gasUsed }) => sum + BigInt(gasUsed ?? 0), 0n) / BigInt(independent.length)
    const transferGas = await measureTransferGas(scene)
    const times = (Number(transferGas) / Number(gas)).toFixed(1)
    lines.tell(
      `${gas.toLocaleString('en')} gas per payment; one plain transfer each would cost ${transferGas.toLocaleString('en')}, ${times} times as much`,
    )
  })
  const settled = await terminal.step('Finalize', async (lines) => {
    const batches = await follow(scene, payments, 'finalized', lines)
    const { rule } = { hardhat: { rule: '2 blocks on top' }, anvil: { rule: 'the finalized tag' } }[system.chain]
    lines.tell(
      `${payments.length} payments are final (${rule}), ${batches.length} batch${batches.length === 1 ? '' : 'es'}`,
    )
    await others.check(lines, batches)
    return batches
  })
  await terminal.step('Archive', (lines) => archive(scene, settled, lines))
  await terminal.step('Callback', (lines) => callback(callbacks, payments, lines))
  const rows = await terminal.step('Check', async (lines) => {
    await checkPayers(scene, payers, independent)
    lines.tell(
      `${payers.length} payers: the vault, the books and what was signed agree to the last unit; nothing is reserved`,
    )
    await checkReconciled(scene, settled, lines)
    return checkMerchants(scene, payments, merchantsBefore)
  })
  await callbacks.stop()
  terminal.table(['merchant', 'payments', 'before', 'received', 'after'], rows)
}

/** @throws Error if chain, books and signatures disagree by one unit. */
async function checkPayers(scene: Scene, payers: readonly Payer[], payments: readonly Acknowledged[]): Promise<void> {
  for (const { account, deposited } of payers) {
    const spent = sumOf(payments.filter(({ payer }) => payer.address === account.address))
    const expected = deposited - spent
    const onChain = await vaultBalance(scene, account.address)
    const { balance, reserved } = await accountOf(scene, account.address, scene.system.deployment.chainId)
    if (onChain !== expected || balance !== expected || reserved !== 0n) {
      throw new Error(
        `payer ${account.address}: ${expected} expected, ${onChain} on chain, ${balance} in the books, ${reserved} reserved`,
      )
    }
  }
}

async function checkMerchants(
  scene: Scene,
  payments: readonly Acknowledged[],
  before: readonly bigint[],
): Promise<readonly (readonly string[])[]> {
  return Promise.all(
    localAccounts.merchants.map(async ({ address }, index) => {
      const theirs = payments.filter(({ payee }) => payee === address)
      const received = sumOf(theirs)
      const first = before[index] ?? 0n
      const after = await tokenBalance(scene, address)
      if (after !== first + received)
        throw new Error(`merchant ${address}: ${first + received} expected, ${after} on chain`)
      return [short(address), `${theirs.length}`, scene.show(first), scene.show(received), scene.show(after)]
    }),
  )
}

const sumOf = (payments: readonly { readonly amount: bigint }[]): bigint =>
  payments.reduce((sum, { amount }) => sum + amount, 0n)
const short = (address: Address): string => `${address.slice(0, 8)}…${address.slice(-6)}`
