import { IceError, type IceUnreachableError } from './errors.ts'

const baseMillis = 250
const waitMillisMax = 8_000
/** Who is asked to wait longer is better told so than left waiting. */
const retryAfterSecondsMax = 30
/** A gateway in front of ICE says these of a process that is away for a moment. */
const gatewayStatuses: readonly (number | undefined)[] = [undefined, 429, 502, 503, 504]

/**
 * How long to wait before the same is tried again; undefined if it is not to be. Full jitter, doubled from try to try, and
 * never less than Retry-After. What is retryable only after somebody did something, such as `insufficient_balance`, comes
 * without Retry-After and is not tried again.
 */
export function waitMillisAfter(error: IceError | IceUnreachableError, tries: number): number | undefined {
  const jittered = Math.random() * Math.min(baseMillis * 2 ** tries, waitMillisMax)
  if (!(error instanceof IceError)) return gatewayStatuses.includes(error.status) ? jittered : undefined
  const { isRetryable, status, retryAfterSeconds } = error
  if (!isRetryable || (status < 500 && retryAfterSeconds === undefined)) return undefined
  if ((retryAfterSeconds ?? 0) > retryAfterSecondsMax) return undefined
  return Math.max(jittered, (retryAfterSeconds ?? 0) * 1000)
}

/** @throws the reason of `signal` as soon as it is aborted */
export function wait(millis: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason)
    const timer = setTimeout(end, millis)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    function end() {
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}
