import { RelayError } from '../core/errors.ts'
import { ChainUnavailableError } from '../core/ports/chain.ts'

/** Error codes of `pg` and the sockets below it that mean: Postgres could not be asked, or was lost while answering. */
const lostCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ECONNABORTED',
  'EMFILE',
  'ENFILE',
])
/**
 * SQLSTATE classes and codes of a server that cannot work now, whatever it is asked: connection exceptions (08), out of
 * memory, disk or connections (53), faults of its system (58), shutdown and start (57P), read-only standby, and what was
 * cancelled by a timeout or lost to another DB transaction.
 * @see https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const lostStates = /^(08...|53...|58...|57P0[1-5]|25006|57014|25P0[34]|55P03|40001|40003|40P01)$/
/** What `pg` throws without a code. */
const lostMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Query read timeout)/
/** How far down the chain of causes to look. */
const causeDepthMax = 5

/** The refusal behind an error that says "ask again later", or undefined if it says something else. */
export function outageOf(error: unknown): RelayError | undefined {
  let cause: unknown = error
  for (let depth = 0; depth < causeDepthMax && cause instanceof Error; depth++, cause = cause.cause) {
    if (cause instanceof RelayError && (cause.code === 'chain_unavailable' || cause.code === 'store_unavailable'))
      return cause
    if (cause instanceof ChainUnavailableError) {
      return new RelayError('chain_unavailable', 'The chain did not answer in time.', { cause: error })
    }
    if (isStoreLost(cause)) {
      return new RelayError('store_unavailable', 'The database did not answer in time.', { cause: error })
    }
  }
  return undefined
}

function isStoreLost(error: Error): boolean {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (lostCodes.has(code) || lostStates.test(code) || lostMessages.test(error.message)) return true
  return error instanceof AggregateError && error.errors.some((each) => each instanceof Error && isStoreLost(each))
}
