/** What one client may take, so that the others keep theirs. Set by the environment. */
export type ApiLimits = {
  /** Requests of one app in a window. */
  readonly appRequestsMax: number
  /** Payments that one app submits in a window, however many requests they come in. */
  readonly appIntentsMax: number
  /** Wrong AppIDs and AppSecrets from one address in a window. */
  readonly failedLoginsMax: number
  /** Requests for the streams of payments, which need no credentials, from one address in a window. */
  readonly watchRequestsMax: number
  /** Streams that are open at once on this process. */
  readonly streamsMax: number
  /** Of them, those of one app. */
  readonly streamsPerAppMax: number
  /** Proxies in front, each of which appends the address of its client to X-Forwarded-For. */
  readonly proxyHops: number
}

export const appWindowSeconds = 10
export const loginWindowSeconds = 60
export const watchWindowSeconds = 60

export const limitsDefault: ApiLimits = {
  appRequestsMax: 20_000,
  appIntentsMax: 200_000,
  failedLoginsMax: 100,
  watchRequestsMax: 600,
  streamsMax: 1_000,
  streamsPerAppMax: 20,
  proxyHops: 0,
}
