import type { AccountKey, VaultEvent } from '../core/ports/chain.ts'

/** Accounts whose word these events changed; who paid in a batch, only its calldata tells. */
export function touchedBy(events: readonly VaultEvent[]): readonly AccountKey[] {
  return events.flatMap((event): readonly AccountKey[] => {
    if (event.name === 'OverdueSettled') return [{ ...event, mode: 'independent' }]
    return 'payer' in event ? [event] : []
  })
}

/** The accounts in sets that one question to the chain can name: of one token and mode, each payer once. */
export function groupsOf(accounts: readonly AccountKey[]): readonly {
  readonly of: Pick<AccountKey, 'token' | 'mode'>
  readonly payers: readonly AccountKey['payer'][]
}[] {
  return [...Map.groupBy(accounts, ({ token, mode }) => `${token}:${mode}`).values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { token, mode } = first
    return [{ of: { token, mode }, payers: [...new Set(group.map(({ payer }) => payer))] }]
  })
}
