import type { Address } from 'viem'
import { accountId, refuseUnbound } from '../core/admit.ts'
import { type Refusal, refusal } from '../core/errors.ts'
import type { AccountRecord, VaultAccount } from '../core/ports/accounts.ts'
import { type AccountKey, type Block, type Chain, ChainUnavailableError } from '../core/ports/chain.ts'
import type { KnownContract } from './chains.ts'
import type { ApiPorts } from './ports.ts'

/** Accounts this process knows to be stored; they never go away. Past this the memory starts afresh. */
const rememberedMax = 100_000
/** Finality may move while an account is read; each time it is read again. */
const attemptsMax = 5
/** Questions to the database at once, so that one big batch leaves connections to others. */
const parallelMax = 8

/** Accounts of one token and mode. */
export type AccountsOf = Pick<AccountKey, 'token' | 'mode'>
export type Introduced = { readonly outcome: 'ready' } | Refusal
export type Introduction = {
  /**
   * Sees to it that the books know these payers' accounts, as of the final block, and their wallets as they are now. Results in
   * their order.
   */
  readonly introduce: (
    known: KnownContract,
    of: AccountsOf,
    payers: readonly Address[],
  ) => Promise<readonly Introduced[]>
  /** What the books say, or for a payer they do not know, what the chain says at the final block. Stores nothing. */
  readonly read: (known: KnownContract, of: AccountsOf, payer: Address) => Promise<AccountRecord | Refusal>
}

/** An account that is bound elsewhere is refused and not stored: the next request reads the chain again. */
export function introduction({ accounts }: Pick<ApiPorts, 'accounts'>): Introduction {
  const remembered = new Set<string>()

  function remember(id: string): void {
    if (remembered.size >= rememberedMax) remembered.clear()
    remembered.add(id)
  }

  async function introduce(known: KnownContract, of: AccountsOf, payers: readonly Address[]) {
    const { chainId, vault } = known.config
    const accountOf = (payer: Address): VaultAccount => ({ chainId, vault, payer, ...of })
    const idOf = (payer: Address) => accountId(accountOf(payer))
    const unseen = [...new Set(payers)].filter((payer) => !remembered.has(idOf(payer)))
    const missing: Address[] = []
    await inParallel(unseen, async (payer) => {
      const found = await accounts.find(accountOf(payer))
      if (found === undefined) missing.push(payer)
      else remember(idOf(payer))
    })

    const refusals = new Map<Address, Refusal>(of.mode === 'pull' ? await refuseEmpty(known, of, missing) : [])
    let open: readonly Address[] = missing.filter((payer) => !refusals.has(payer))
    for (let attempt = 0; open.length > 0 && attempt < attemptsMax; attempt++) {
      const read = await readFinal(known, of, open)
      if ('outcome' in read) {
        for (const payer of open) refusals.set(payer, read)
        break
      }
      const stale: Address[] = []
      await inParallel(read.states, async ({ payer, state }) => {
        if (state.relayerId !== known.config.relayerId) {
          refusals.set(payer, refuseUnbound({ payer, state, relayerId: known.config.relayerId }))
          return
        }
        const outcome = await accounts.introduce(accountOf(payer), state, read.asOfBlock)
        if (outcome === 'stale') stale.push(payer)
        else remember(idOf(payer))
      })
      open = stale
    }
    for (const payer of open) {
      if (!refusals.has(payer)) refusals.set(payer, refuseChainSilence(chainId, 'finality moved on during every read'))
    }
    if (of.mode === 'pull') {
      const ready = [...new Set(payers)].filter((payer) => !refusals.has(payer))
      const read = await readWallets(known, of, ready)
      if ('outcome' in read) for (const payer of ready) refusals.set(payer, read)
      else await inParallel(read, ({ payer, wallet }) => accounts.refreshWallet(accountOf(payer), wallet))
    }
    return payers.map((payer): Introduced => refusals.get(payer) ?? { outcome: 'ready' })
  }

  /** Every address is a wallet, so the books take only those with something in it. */
  async function refuseEmpty(known: KnownContract, of: AccountsOf, payers: readonly Address[]) {
    if (payers.length === 0) return []
    const head = await readHead(known, of, payers)
    if ('outcome' in head) return payers.map((payer): [Address, Refusal] => [payer, head])
    return head.states
      .filter(({ state }) => state.balance === 0n)
      .map(({ payer }): [Address, Refusal] => {
        const fields = { available: '0', token: of.token }
        return [payer, refusal('insufficient_balance', `the wallet of ${payer} holds nothing of ${of.token}`, fields)]
      })
  }

  async function readWallets(known: KnownContract, of: AccountsOf, payers: readonly Address[]) {
    const [final, head] = await Promise.all([readFinal(known, of, payers), readHead(known, of, payers)])
    if ('outcome' in final) return final
    if ('outcome' in head) return head
    return final.states.map(({ payer, state }, index) => {
      const wallet = { final: state, head: head.states[index]?.state ?? state, asOfBlock: final.asOfBlock }
      return { payer, wallet }
    })
  }

  async function read(known: KnownContract, of: AccountsOf, payer: Address) {
    const account: VaultAccount = { chainId: known.config.chainId, vault: known.config.vault, payer, ...of }
    const stored = await accounts.find(account)
    if (stored !== undefined && of.mode !== 'pull') return stored
    const final = await readFinal(known, of, [payer])
    if ('outcome' in final) return final
    const state = final.states[0]?.state
    if (state === undefined) return refuseChainSilence(known.config.chainId, 'an account is missing from the answer')
    const { reserved, openNonces } = stored ?? { reserved: 0n, openNonces: [] }
    return { state, reserved, openNonces, asOfBlock: final.asOfBlock }
  }

  async function readFinal(known: KnownContract, of: AccountsOf, payers: readonly Address[]) {
    const { chainId, vault } = known.config
    const view = await accounts.view(chainId, vault)
    if (view === undefined) return refuseChainSilence(chainId, 'the relayer has not seen its first block yet')
    return readAt(known, of, payers, async () => ({ hash: view.finalizedHash, number: view.finalizedNumber }))
  }

  const readHead = (known: KnownContract, of: AccountsOf, payers: readonly Address[]) =>
    readAt(known, of, payers, (node) => node.head())

  async function readAt(
    { config, node }: KnownContract,
    of: AccountsOf,
    payers: readonly Address[],
    blockOf: (node: Chain) => Promise<Pick<Block, 'hash' | 'number'>>,
  ) {
    if (node === undefined) return refuseChainSilence(config.chainId, 'there is no connection to a node')
    try {
      const { hash, number } = await blockOf(node)
      const states = await node.accounts(of, payers, hash)
      return {
        asOfBlock: number,
        states: payers.flatMap((payer, index) => {
          const state = states[index]
          return state === undefined ? [] : [{ payer, state }]
        }),
      }
    } catch (error) {
      if (error instanceof ChainUnavailableError) return refuseChainSilence(config.chainId, 'the node did not answer')
      throw error
    }
  }

  return { introduce, read }
}

function refuseChainSilence(chainId: number, why: string): Refusal {
  return refusal('chain_unavailable', `chain ${chainId}: ${why}`, { chainId, retryAfterSeconds: 2 })
}

async function inParallel<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const rest = [...items]
  const run = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, run))
}
