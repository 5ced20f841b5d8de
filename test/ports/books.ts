import type { Address } from 'viem'
import type { AccountState } from '../../core/account.ts'
import type { Candidate } from '../../core/admit.ts'
import type { ChainConfig } from '../../core/config.ts'
import type { Accounts } from '../../core/ports/accounts.ts'
import type { Batches } from '../../core/ports/batches.ts'
import type { Admitted, Intake } from '../../core/ports/intake.ts'
import type { Intents } from '../../core/ports/intents.ts'
import type { Orders } from '../../core/ports/orders.ts'
import type { Mode } from '../../core/protocol/taking.ts'
import { chain, finalBlock, freshAddress, funded, nowSeconds } from './payments.ts'

/** The API's side of one set of books, and the relayer's side as far as a test needs it. */
export type Books = {
  readonly accounts: Accounts
  readonly orders: Orders
  readonly intake: Intake
  readonly intents: Intents
  readonly batches: Batches
  /** The same books as another process sees them. */
  readonly rival: Pick<Books, 'accounts' | 'intake' | 'intents'>
  readonly observe: (seen: Seen) => Promise<void>
  /** Batches these payments; `raced` if one is not free. */
  readonly batch: (
    payments: readonly Candidate[],
  ) => Promise<{ readonly id: string; readonly outcome: 'created' | 'raced' }>
  /** The batch was sent in one attempt and mined with these results. */
  readonly include: (batchId: string, results: `0x${string}`) => Promise<void>
}

/** What the relayer has last seen of a chain. */
export type Seen = {
  readonly on?: ChainConfig
  readonly headAt?: number
  readonly observedAt?: number
  readonly isPaused?: boolean
  readonly finalized?: bigint
}

/** A payer whose account is in the books. */
export async function payerWith(
  { accounts }: Pick<Books, 'accounts'>,
  balance: bigint,
  {
    on = chain,
    token = on.tokens[0]?.address,
    mode = 'independent',
    payer = freshAddress(),
    ...state
  }: Partial<AccountState> & {
    on?: ChainConfig
    token?: Address | undefined
    mode?: Mode
    payer?: Address
  } = {},
): Promise<Address> {
  if (token === undefined) throw new Error('no token')
  const outcome = await accounts.introduce(
    { chainId: on.chainId, vault: on.vault, payer, token, mode },
    funded(balance, state),
    finalBlock,
  )
  if (outcome !== 'stored') throw new Error(`the account is ${outcome}`)
  return payer
}

export async function admitOne({ intake }: Pick<Books, 'intake'>, candidate: Candidate): Promise<Admitted> {
  const [admitted] = await intake.admit([candidate], nowSeconds())
  if (admitted === undefined) throw new Error('no answer')
  return admitted
}

/** The answer in one word: its outcome, or why it was refused. */
export const verdict = (admitted: Admitted | undefined) =>
  admitted?.outcome === 'refused' ? admitted.code : admitted?.outcome
