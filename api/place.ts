import { nextLink, refuseTail, sequenceMax } from '../core/chained.ts'
import { RelayError } from '../core/errors.ts'
import type { Accounts } from '../core/ports/accounts.ts'
import type { Means, Taking } from '../core/protocol/taking.ts'
import { errorOf } from './middleware/problem.ts'
import { meansFor, type PayerAccount, type Wanted } from './payer-account.ts'

/** A payment that is to get its place; `deadline` and `now` in unix seconds. */
type Placing = Wanted & { readonly means: Means | undefined; readonly deadline: bigint; readonly now: number }

/** The nonce or sequence that the payment gets, and how it is taken. @throws RelayError if its account has no place for it now */
export async function placeIn(
  found: PayerAccount,
  wanted: Placing,
  accounts: Pick<Accounts, 'reserveNonce'>,
): Promise<{ readonly nonce: bigint; readonly taking: Taking }> {
  const { account } = found
  if (account.mode === 'chained') return afterLast(found, wanted.now)
  const taking = takingFor(found, account.mode, wanted)
  const nonce = await accounts.reserveNonce(account, { expiresAt: wanted.deadline, nowSeconds: wanted.now })
  if (nonce === 'full') {
    const detail = `64 payments of ${account.payer} are open`
    throw new RelayError('nonce_out_of_window', detail, { fields: { openMax: 64 } })
  }
  return { nonce, taking }
}

/** Kept for nobody: whoever submits first has it. */
function afterLast(
  { record: { state, tail } }: PayerAccount,
  now: number,
): { readonly nonce: bigint; readonly taking: Taking } {
  const refused = refuseTail(state, tail, now)
  if (refused !== undefined) throw errorOf(refused)
  const { sequence, previous } = nextLink(state, tail)
  if (sequence > sequenceMax) {
    const detail = `the account has had ${sequenceMax} chained payments, and can have no more`
    throw new RelayError('nonce_out_of_window', detail, { fields: { sequenceMax: `${sequenceMax}` } })
  }
  return { nonce: sequence, taking: { mode: 'chained', previous } }
}

function takingFor(found: PayerAccount, mode: 'independent' | 'pull', wanted: Placing): Taking {
  if (mode === 'independent') return { mode }
  const by = wanted.means ?? meansFor(found, wanted)
  if (by === 'authorization' && wanted.token.authorization === undefined) {
    const { symbol, address } = wanted.token
    throw new RelayError('means_unsupported', `${symbol} takes no authorizations`, { fields: { token: address } })
  }
  return { mode, means: by }
}
