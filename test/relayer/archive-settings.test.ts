import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { parseWallet } from '../../adapters/arweave/transaction.ts'
import { readSettings } from '../../relayer/settings.ts'

const folder = await mkdtemp(join(tmpdir(), 'ice-test-settings-'))
afterAll(() => rm(folder, { recursive: true, force: true }))
const keyFile = join(folder, 'key.json')
await writeFile(keyFile, '{"kty":"RSA","d":"very secret"}')

const environment = {
  DATABASE_URL: 'postgres://127.0.0.1/ice',
  ICE_CONFIG: 'config.json',
  SECRET_KEYS: `0x${'5e'.repeat(32)}`,
  LANE_SIGNERS: `local:0x${'1a'.repeat(32)}`,
  IPFS_DIRECTORY: '/var/lib/ice/ipfs',
  ARWEAVE_GATEWAY_URL: 'https://arweave.example',
  ARWEAVE_KEY_FILE: keyFile,
}

describe('the relayer', () => {
  test('waits for 15 confirmations on Arweave and pays a tenth of an AR at most, unless it is told otherwise', () => {
    expect(readSettings(environment)).toMatchObject({
      ARWEAVE_CONFIRMATIONS_MIN: 15,
      ARWEAVE_REWARD_WINSTON_MAX: 10n ** 11n,
      ARCHIVE_TIMEOUT_MILLIS_MAX: 8_000,
    })
  })

  test.each([
    ['an IPFS node and a folder at once', { IPFS_API_URL: 'http://127.0.0.1:5001' }, 'exactly one of'],
    ['neither', { IPFS_DIRECTORY: undefined }, 'exactly one of'],
    ['no gateway', { ARWEAVE_GATEWAY_URL: undefined }, 'ARWEAVE_GATEWAY_URL'],
    ['a gateway that is no web address', { ARWEAVE_GATEWAY_URL: 'file:///etc/passwd' }, 'ARWEAVE_GATEWAY_URL'],
    ['a key file that is not there', { ARWEAVE_KEY_FILE: join(folder, 'none') }, 'cannot be read (ENOENT)'],
    ['no confirmation at all', { ARWEAVE_CONFIRMATIONS_MIN: '0' }, 'ARWEAVE_CONFIRMATIONS_MIN'],
    ['a price with a sign', { ARWEAVE_REWARD_WINSTON_MAX: '-1' }, 'decimal string of winston'],
  ])('does not start with %s', (_, change, reason) => {
    expect(() => readSettings({ ...environment, ...change })).toThrow(reason)
  })
})

test.each(['{"kty":"RSA","d":"very secret"}', 'very secret, no JSON'])(
  'a bad Arweave key is refused without quoting it: %s',
  (text) => {
    let message = ''
    try {
      parseWallet(text)
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain('no JWK')
    expect(message).not.toContain('secret')
  },
)
