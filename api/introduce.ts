import type { Address } from 'viem'
import { accountId, refuseUnbound } from '../core/admit.ts'
import { type Refusal, refusal } from '../core/errors.ts'
import type { AccountRecord, VaultAccount } from '../core/ports/accounts.ts'
import { ChainUnavailableError } from '../core/ports/chain.ts'
import type { KnownChain } from './chains.ts'
import type { ApiPorts } from './ports.ts'

/** Accounts this process knows to be stored; they never go away. Past this the memory starts afresh. */
const rememberedMax = 100_000
/** Finality may move while an account is read; each time it is read again. */
const attemptsMax = 5
/** Questions to the database at once, so that one big batch leaves connections to others. */
const parallelMax = 8

export type Introduced = { readonly outcome: 'ready' } | Refusal
export type Introduction = {
  /** Sees to it that the books know these payers of one token, as of the final block. Results in their order. */
  readonly introduce: (known: KnownChain, token: Address, payers: readonly Address[]) => Promise<readonly Introduced[]>
  /** What the books say, or for a payer they do not know, what the chain says at the final block. Stores nothing. */
  readonly read: (known: KnownChain, token: Address, payer: Address) => Promise<AccountRecord | Refusal>
}

/** An account that is bound elsewhere is refused and not stored: the next request reads the chain again. */
export function introduction({ accounts }: Pick<ApiPorts, 'accounts'>): Introduction {
  const remembered = new Set<string>()

  function remember(id: string): void {
    if (remembered.size >= rememberedMax) remembered.clear()
    remembered.add(id)
  }

  async function introduce(known: KnownChain, token: Address, payers: readonly Address[]) {
    const { chainId, vault } = known.config
    const idOf = (payer: Address) => accountId(chainId, payer, token)
    const unseen = [...new Set(payers)].filter((payer) => !remembered.has(idOf(payer)))
    const missing: Address[] = []
    await inParallel(unseen, async (payer) => {
      const found = await accounts.find({ chainId, vault, payer, token })
      if (found === undefined) missing.push(payer)
      else remember(idOf(payer))
    })

    const refusals = new Map<Address, Refusal>()
    let open: readonly Address[] = missing
    for (let attempt = 0; open.length > 0 && attempt < attemptsMax; attempt++) {
      const read = await readFinal(known, token, open)
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
        const outcome = await accounts.introduce({ chainId, vault, payer, token }, state, read.asOfBlock)
        if (outcome === 'stale') stale.push(payer)
        else remember(idOf(payer))
      })
      open = stale
    }
    for (const payer of open) {
      if (!refusals.has(payer)) refusals.set(payer, refuseChainSilence(chainId, 'finality moved on during every read'))
    }
    return payers.map((payer): Introduced => refusals.get(payer) ?? { outcome: 'ready' })
  }

  async function read(known: KnownChain, token: Address, payer: Address) {
    const account: VaultAccount = { chainId: known.config.chainId, vault: known.config.vault, payer, token }
    const stored = await accounts.find(account)
    if (stored !== undefined) return stored
    const final = await readFinal(known, token, [payer])
    if ('outcome' in final) return final
    const state = final.states[0]?.state
    if (state === undefined) return refuseChainSilence(known.config.chainId, 'an account is missing from the answer')
    return { state, reserved: 0n, openNonces: [], asOfBlock: final.asOfBlock }
  }

  async function readFinal({ config, node }: KnownChain, token: Address, payers: readonly Address[]) {
    const view = await accounts.view(config.chainId, config.vault)
    if (view === undefined) return refuseChainSilence(config.chainId, 'the relayer has not seen its first block yet')
    if (node === undefined) return refuseChainSilence(config.chainId, 'there is no connection to a node')
    try {
      const states = await node.accounts(token, payers, view.finalizedHash)
      return {
        asOfBlock: view.finalizedNumber,
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
