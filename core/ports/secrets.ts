/** What a derived secret is for. One purpose never yields the secret of another. */
export type SecretPurpose = 'webhook-hmac' | 'webhook-ed25519' | 'watch-link' | 'intent-cursor'

/** Secrets that no database holds: they are derived from the deployment's secret keys whenever they are needed. */
export type Secrets = {
  /**
   * 32 bytes for this purpose and subject, one per secret key of the deployment, the newest key first: sign with the
   * first (webhooks: with all), accept any.
   */
  readonly derive: (purpose: SecretPurpose, subject: string) => readonly [Uint8Array, ...Uint8Array[]]
}
