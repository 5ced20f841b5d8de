import { expect, test } from 'vitest'
import type { KnownChains, KnownContract } from '../../api/chains.ts'
import { findPayerAccount } from '../../api/payer-account.ts'
import { refusal } from '../../core/errors.ts'
import type { AccountRecord } from '../../core/ports/accounts.ts'
import { addressOf, chain, payer } from '../core/payments.ts'

const [token] = chain.tokens
if (token === undefined) throw new Error('no token')
const contract = { config: { ...chain, pullSettler: addressOf(0x95) } } as KnownContract
const state = { balance: 5n, topNonce: 0n, nonceWindow: 0n, relayerId: chain.relayerId, withdrawAmount: 0n }
const record: AccountRecord = {
  ...{ state: { ...state, isRebinding: false }, reserved: 0n, openNonces: [], asOfBlock: 1n },
}

test('a pull settler that cannot be asked hides no account in the vault, however little is in it', async () => {
  const found = await findPayerAccount(
    {
      accounts: { find: async () => record } as never,
      chains: { of: () => contract } as unknown as KnownChains,
      introduction: {
        introduce: async (_known, { mode }) => [
          mode === 'pull' ? refusal('chain_unavailable', 'silence') : { outcome: 'ready' },
        ],
        read: async () => record,
      },
    },
    { chainId: chain.chainId, payer, token, amount: 6n, mode: undefined },
  )
  expect(found).toMatchObject({ account: { mode: 'independent' } })
})
