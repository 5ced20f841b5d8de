/**
 * At most one call per id on its way and one waiting behind it, however often it is asked for: a call that is already
 * out may have been acted upon, so it cannot stand for a later one, but the one that waits can stand for all others.
 */
export function coalesce<T>(send: (id: string, value: T) => Promise<void>): (id: string, value: T) => Promise<void> {
  const onTheirWay = new Map<string, { readonly done: Promise<void>; next: Promise<void> | undefined }>()

  function start(id: string, value: T): Promise<void> {
    const done = send(id, value)
    const call = { done, next: undefined }
    onTheirWay.set(id, call)
    const forget = () => {
      if (onTheirWay.get(id) === call && call.next === undefined) onTheirWay.delete(id)
    }
    done.then(forget, forget)
    return done
  }

  return (id, value) => {
    const call = onTheirWay.get(id)
    if (call === undefined) return start(id, value)
    const begin = () => start(id, value)
    call.next ??= call.done.then(begin, begin)
    return call.next
  }
}

/**
 * Runs `handle` at most once at a time per id. A call that comes while one runs makes that one run again, and returns
 * at once, so that callers which wait never use up the places of other ids.
 */
export function takeTurns<T>(handle: (value: T) => Promise<void>): (id: string, value: T) => Promise<void> {
  const turns = new Map<string, { isCalledAgain: boolean }>()
  return async (id, value) => {
    const running = turns.get(id)
    if (running !== undefined) {
      running.isCalledAgain = true
      return
    }
    const turn = { isCalledAgain: false }
    turns.set(id, turn)
    try {
      do {
        turn.isCalledAgain = false
        await handle(value)
      } while (turn.isCalledAgain)
    } finally {
      turns.delete(id)
    }
  }
}
