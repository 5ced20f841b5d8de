import type { StageName } from '../stages.ts'

/** What the relayer is woken for. Work carries ids, never state: a wake-up that is lost, late or doubled does no harm. */
export type Wake = {
  readonly stage: StageName
  readonly chainId: number
}

export type Queue = {
  /** Coalesces: a stage that is already waiting for this chain is not queued twice. */
  readonly wake: (wake: Wake, options?: { readonly delayMillis?: number }) => Promise<void>
  /** Runs `handle` for each wake-up, at most one at a time per (stage, chain) and process. Returns how to stop. */
  readonly work: (handle: (wake: Wake) => Promise<void>) => Promise<{ readonly stop: () => Promise<void> }>
  readonly close: () => Promise<void>
}
