import { RelayError } from '../core/errors.ts'

/** Submissions per commit: past this, a bigger DB transaction gains nothing. Measured by the prototype of group commit. */
const commitMax = 256
/** Two: one collects while the other one is on its way to the disk. */
const inFlightMax = 2
/** Submissions that may wait; more is answered `overloaded` at once, while a retry can still succeed. */
const queueMax = 8_192
/** Of them, those of one owner: however much one sends, others find room. */
const ownerShare = 0.5

type Waiting<Item, Result> = {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export type GroupCommit<Item, Result> = {
  /**
   * Commits all items, together with those of other callers. Each item settles by itself.
   * @throws RelayError `overloaded` before anything is committed, if the items do not fit the queue or their owner's half of it.
   */
  readonly submit: (items: readonly Item[]) => Promise<readonly PromiseSettledResult<Result>[]>
  readonly waitingCount: () => number
}

/**
 * Turns many concurrent submissions into few commits without a timer: whatever arrived while earlier commits were on
 * their way forms the next one. Alone, a submission goes at once; under load, groups grow by themselves.
 */
export function groupCommit<Item, Result>({
  commit,
  isOutage,
  ownerOf = () => undefined,
  items: noun,
  limits = {},
}: {
  /** Results in the order of the items. If it throws, nothing of the set is known to be committed. */
  commit: (items: readonly Item[]) => Promise<readonly Result[]>
  /** True for errors that every item would meet: then a failed set is not tried again in parts. */
  isOutage: (error: unknown) => boolean
  /** Whose share of the queue an item takes; undefined: nobody's. */
  ownerOf?: (item: Item) => string | undefined
  /** What waits, for the message: `payments`. */
  items: string
  limits?: { commitMax?: number; inFlightMax?: number; queueMax?: number }
}): GroupCommit<Item, Result> {
  const max = { commitMax, inFlightMax, queueMax, ...limits }
  const waiting: Waiting<Item, Result>[] = []
  /** How many of `waiting` each owner has; nobody stands in it with none. */
  const shares = new Map<string, number>()
  let inFlight = 0

  function count(owner: string | undefined, change: 1 | -1): void {
    if (owner === undefined) return
    const share = (shares.get(owner) ?? 0) + change
    if (share === 0) shares.delete(owner)
    else shares.set(owner, share)
  }

  /** @throws RelayError `overloaded` */
  function refuseFull(items: readonly Item[]): void {
    const fields = { retryAfterSeconds: 1 }
    if (waiting.length + items.length > max.queueMax) {
      const detail = `${waiting.length} ${noun} are waiting, at most ${max.queueMax} may`
      throw new RelayError('overloaded', detail, { fields })
    }
    const ownerMax = Math.floor(max.queueMax * ownerShare)
    for (const [owner, own] of Map.groupBy(items, ownerOf)) {
      const share = owner === undefined ? 0 : (shares.get(owner) ?? 0)
      if (owner === undefined || share + own.length <= ownerMax) continue
      const detail = `${share} ${noun} of ${owner} are waiting, at most ${ownerMax} of one app may`
      throw new RelayError('overloaded', detail, { fields })
    }
  }

  function pump(): void {
    while (inFlight < max.inFlightMax && waiting.length > 0) {
      const group = waiting.splice(0, max.commitMax)
      for (const { item } of group) count(ownerOf(item), -1)
      inFlight++
      void settle(group).then(() => {
        inFlight--
        pump()
      })
    }
  }

  async function settle(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await commit(group.map(({ item }) => item))
      if (results.length !== group.length) throw new RangeError(`${results.length} results for ${group.length} items`)
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
    } catch (error) {
      if (group.length === 1 || isOutage(error)) {
        for (const { reject } of group) reject(error)
        return
      }
      // One poisoned item must not fail its neighbours: halves isolate it. A set that was committed after all comes
      // back as known, since a digest is unique.
      const middle = Math.ceil(group.length / 2)
      await settle(group.slice(0, middle))
      await settle(group.slice(middle))
    }
  }

  return {
    async submit(items) {
      refuseFull(items)
      for (const item of items) count(ownerOf(item), 1)
      const results = items.map(
        (item) => new Promise<Result>((resolve, reject) => waiting.push({ item, resolve, reject })),
      )
      pump()
      return Promise.allSettled(results)
    },
    waitingCount: () => waiting.length,
  }
}
