/** A bound client. `operator` may also release and reject holds. */
export type App = {
  readonly id: string
  readonly name: string
  readonly role: 'app' | 'operator'
  readonly secretSha256: Uint8Array
}

export type Apps = {
  readonly find: (id: string) => Promise<App | undefined>
  /** Registers an app, or replaces name, role and secret of the one with this id. */
  readonly put: (app: App) => Promise<void>
}
