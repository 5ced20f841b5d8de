import type { PaymentEventState } from '../core/protocol/webhook.ts'
import { refusalOf } from './client.ts'
import { IceError, IceUnreachableError } from './errors.ts'
import { terminalStates } from './intent.ts'
import { wait, waitMillisAfter } from './retry.ts'

/** A heartbeat comes every 15 seconds; after three that are missing the connection is taken for dead. */
const silenceMillisMaxDefault = 45_000
/** In a row, without an event between them. */
const failuresMaxDefault = 10

/** A state that a payment came into. */
export type StateChange = {
  readonly intent: string
  /** 1, 2, 3, … without a gap. */
  readonly sequence: number
  readonly state: PaymentEventState
  /** ISO 8601 in UTC. */
  readonly at: string
  readonly tx: string | null
  readonly block: string | null
}

/**
 * All states of one payment, from the first one on, to its last; each once, also when the connection breaks meanwhile.
 * @param watchUrl of its receipt
 * @param signal ends it: its reason is thrown
 * @throws IceError if the link is not good; IceUnreachableError after `failuresMax` failures in a row
 */
export async function* watch(
  watchUrl: string,
  {
    signal,
    after = 0,
    failuresMax = failuresMaxDefault,
    silenceMillisMax = silenceMillisMaxDefault,
  }: { signal?: AbortSignal; after?: number; failuresMax?: number; silenceMillisMax?: number } = {},
): AsyncGenerator<StateChange, void, undefined> {
  let last = after
  for (let failures = 1; ; failures++) {
    let failure: IceError | IceUnreachableError
    try {
      for await (const change of changesOf(watchUrl, { signal, last, silenceMillisMax, tries: failures })) {
        if (change === 'over') return
        if (change.sequence <= last) continue
        last = change.sequence
        failures = 0
        yield change
        if (terminalStates.some((state) => state === change.state)) return
      }
      failure = new IceUnreachableError(`the stream ended before the payment did, ${failures} times`, {
        tries: failures,
      })
    } catch (cause) {
      signal?.throwIfAborted()
      failure = isOurs(cause)
        ? cause
        : new IceUnreachableError(`the stream broke: ${cause}`, { tries: failures, cause })
    }
    const millis = waitMillisAfter(failure, failures)
    if (millis === undefined || failures >= failuresMax) throw failure
    await wait(millis, signal)
  }
}

/** One connection. `over`: all was told before. */
async function* changesOf(
  url: string,
  {
    signal,
    last,
    silenceMillisMax,
    tries,
  }: { signal: AbortSignal | undefined; last: number; silenceMillisMax: number; tries: number },
): AsyncGenerator<StateChange | 'over', void, undefined> {
  signal?.throwIfAborted()
  const connection = new AbortController()
  const leave = () => connection.abort(signal?.reason)
  const cut = () => connection.abort(new Error(`nothing came for ${silenceMillisMax} ms`))
  signal?.addEventListener('abort', leave)
  let timer = setTimeout(cut, silenceMillisMax)
  try {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...(last > 0 ? { 'last-event-id': `${last}` } : {}) },
      signal: connection.signal,
    })
    if (response.status === 204) return yield 'over'
    if (!response.ok || response.body === null) {
      throw refusalOf(response, await response.json().catch(() => undefined), { tries })
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let unread = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(cut, silenceMillisMax)
      const blocks = `${unread}${value}`.split('\n\n')
      unread = blocks.pop() ?? ''
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data !== undefined) yield JSON.parse(data)
      }
    }
  } finally {
    clearTimeout(timer)
    // Whoever stops listening leaves no connection behind.
    connection.abort()
    signal?.removeEventListener('abort', leave)
  }
}

function isOurs(error: unknown): error is IceError | IceUnreachableError {
  return error instanceof IceError || error instanceof IceUnreachableError
}
