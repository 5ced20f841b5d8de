/** The HMAC secrets of one endpoint that are valid now, the newest first; none if it wants no HMAC. */
export type HmacVersions = { readonly endpointId: string; readonly versions: readonly number[] }

/** Keys of webhooks. None is stored: all are derived from the deployment's secret keys. */
export type WebhookKeys = {
  /** `whpk_` keys of `v1a`, the newest first. All of them sign as long as they are listed. */
  readonly publicKeys: readonly string[]
  /** The `whsec_` secret of that version, by the newest secret key. */
  readonly secretOf: (endpointId: string, version: number) => string
  /** The three headers of one try. `timestamp` in unix seconds. */
  readonly sign: (message: {
    readonly id: string
    readonly timestamp: number
    readonly body: string
    readonly hmac: HmacVersions
  }) => Readonly<Record<string, string>>
}
