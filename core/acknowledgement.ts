import type { ChainConfig } from './config.ts'
import { pauseSecondsMax } from './config.ts'
import type { Mode } from './protocol/taking.ts'
import type { Guarantee } from './protocol/typed-data.ts'

/** What ICE knows of a chain when it promises: an old view or a paused vault allows no firm promise. */
export type ChainView = {
  readonly headAgeSeconds: number
  /** Age of the block at which balances were read: a withdrawal that became possible since is not in them. */
  readonly finalizedAgeSeconds: number
  readonly isPaused: boolean
}

export type Promised = { readonly guarantee: Guarantee; readonly settleBy: bigint }

/**
 * How firmly ICE may promise a vault payment whose amount is already covered by free, finalized balance. Collateralised
 * needs a deadline that outlives settle-by, a whole pause and a reorg: else the promise could die with the signature.
 */
export function decidePromise({
  deadline,
  nowSeconds,
  view,
  promise,
  mode,
}: {
  deadline: bigint
  nowSeconds: number
  view: ChainView
  promise: ChainConfig['promise']
  mode: Mode
}): Promised {
  const settleBy = BigInt(nowSeconds + promise.settleWithinSeconds)
  const isFirm =
    // The only one that `settleOverdue` enforces: a run needs all that is before it, and a wallet can be emptied.
    mode === 'independent' &&
    !view.isPaused &&
    view.headAgeSeconds <= promise.headAgeSecondsMax &&
    view.finalizedAgeSeconds <= promise.finalizedAgeSecondsMax &&
    deadline >= settleBy + BigInt(pauseSecondsMax + promise.reorgMarginSeconds)
  return { guarantee: isFirm ? 'collateralised' : 'optimistic', settleBy: settleBy < deadline ? settleBy : deadline }
}
