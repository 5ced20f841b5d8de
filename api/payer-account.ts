import type { Address } from 'viem'
import { availableFloor } from '../core/account.ts'
import { accountId, refuseUnbound } from '../core/admit.ts'
import type { TokenConfig } from '../core/config.ts'
import { type ErrorCode, type Refusal, RelayError, refusal } from '../core/errors.ts'
import type { AccountRecord, VaultAccount } from '../core/ports/accounts.ts'
import { type Means, type Mode, modes } from '../core/protocol/taking.ts'
import type { KnownChains, KnownContract } from './chains.ts'
import type { Introduction } from './introduce.ts'
import type { ApiPorts } from './ports.ts'

/** Out of which account a payment is to be taken, as far as the request says. */
export type Wanted = {
  readonly chainId: number
  readonly payer: Address
  readonly token: TokenConfig
  readonly amount: bigint
  readonly mode: Mode | undefined
}

/** An account that this relayer may settle from. */
export type PayerAccount = {
  readonly known: KnownContract
  readonly account: VaultAccount
  readonly record: AccountRecord
}

/**
 * The account that a payment is prepared for: of the mode asked for, else the first in the order of modes that is bound to
 * this relayer and has enough, else the first that is bound. A wallet is bound to nobody, so it comes last.
 */
export async function findPayerAccount(
  { accounts, chains, introduction }: Pick<ApiPorts, 'accounts'> & { chains: KnownChains; introduction: Introduction },
  wanted: Wanted,
): Promise<PayerAccount | Refusal> {
  const bound: PayerAccount[] = []
  const refusals: Refusal[] = []
  for (const mode of wanted.mode === undefined ? modes : [wanted.mode]) {
    const known = chains.of(wanted.chainId, mode)
    if (known === undefined) {
      if (mode === wanted.mode) return refuseMode(wanted.chainId, mode)
      continue
    }
    const found = await find(known, mode)
    if ('outcome' in found) {
      // Whether this mode would do, an outage leaves open: an account that is there still gets its answer, and its warning.
      if (!isAnswer.has(found.code)) return bound[0] ?? found
      refusals.push(found)
    } else if (hasEnough(found, wanted)) return found
    else bound.push(found)
  }
  return bound[0] ?? refusals[0] ?? refuseMode(wanted.chainId, 'pull')

  async function find(known: KnownContract, mode: Mode): Promise<PayerAccount | Refusal> {
    const { payer, token } = wanted
    const { chainId, vault, relayerId } = known.config
    const account = { chainId, vault, payer, token: token.address, mode }
    const [introduced] = await introduction.introduce(known, account, [payer])
    if (introduced?.outcome === 'refused') return introduced
    const record = await accounts.find(account)
    if (record === undefined)
      throw new RelayError('internal', `The introduced account ${accountId(account)} is missing.`)
    const { state } = record
    if (state.relayerId !== relayerId || state.isRebinding) return refuseUnbound({ payer, state, relayerId })
    return { known, account, record }
  }
}

/** What is known for sure: there is no such account, or nothing in it. */
const isAnswer: ReadonlySet<ErrorCode> = new Set(['account_not_bound', 'insufficient_balance'])

/** By allowance where it covers the amount, for that costs the least; else by authorization, where the token takes it. */
export function meansFor(
  { record: { state, reserved } }: PayerAccount,
  { token, amount }: Pick<Wanted, 'token' | 'amount'>,
): Means {
  const allowed = availableFloor(state, reserved, { mode: 'pull', means: 'allowance' })
  return allowed >= amount || token.authorization === undefined ? 'allowance' : 'authorization'
}

function hasEnough(found: PayerAccount, wanted: Wanted): boolean {
  const { account, record } = found
  const taking =
    account.mode === 'pull'
      ? ({ mode: 'pull', means: meansFor(found, wanted) } as const)
      : { mode: 'independent' as const }
  return availableFloor(record.state, record.reserved, taking) >= wanted.amount
}

function refuseMode(chainId: number, mode: Mode): Refusal {
  return refusal('wrong_contract', `chain ${chainId} has no contract that settles in mode ${mode}`, { chainId, mode })
}
