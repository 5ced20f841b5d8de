/** Every legal step of one copy of a record in one store. */
export const copySteps = {
  waiting: ['sealed'],
  sealed: ['posted', 'waiting'], // back: the store refused it, so it is sealed afresh
  posted: ['archived', 'sealed'], // back: the store forgot or dropped it, so it is posted again
  archived: [],
} as const satisfies Record<string, readonly string[]>

export type CopyState = keyof typeof copySteps
export type StoreName = 'ipfs' | 'arweave'
export const storeNames = ['ipfs', 'arweave'] as const satisfies readonly StoreName[]

const firstPauseMillis = 1_000
const pauseMillisMax = 600_000

/** How long a copy waits after so many failures in a row: 1 s, twice as long after each, ten minutes at most. */
export function pauseMillis(failures: number): number {
  return Math.min(pauseMillisMax, firstPauseMillis * 2 ** Math.min(failures - 1, 20))
}
