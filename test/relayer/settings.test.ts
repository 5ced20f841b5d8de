import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSettings, retiringLanes } from '../../relayer/settings.ts'
import { localAccounts, privateKeyOf } from '../../scripts/local/accounts.ts'

const [first, second] = localAccounts.lanes.map(({ address }) => address)
const stranger = localAccounts.stranger.address
if (first === undefined || second === undefined) throw new Error('two lanes')
const folder = await mkdtemp(join(tmpdir(), 'ice-test-settings-'))
afterAll(() => rm(folder, { recursive: true, force: true }))
await writeFile(join(folder, 'key.json'), '{}')
const none = { LANES_RETIRING: [], LANES_ABSENT: [] }

describe('the lanes of a relayer', () => {
  test('retire by address, in either spelling, as long as one stays', () => {
    const settings = readSettings({
      DATABASE_URL: 'postgres://localhost/ice',
      ICE_CONFIG: 'config.json',
      SECRET_KEYS: `0x${'5e'.repeat(32)}`,
      LANE_SIGNERS: localAccounts.lanes.map((lane) => `local:${privateKeyOf(lane)}`).join(),
      LANES_RETIRING: `${first.toLowerCase()}`,
      LANES_ABSENT: '',
      IPFS_DIRECTORY: folder,
      ARWEAVE_GATEWAY_URL: 'http://127.0.0.1:1',
      ARWEAVE_KEY_FILE: join(folder, 'key.json'),
    })
    expect(retiringLanes(settings, [first, second])).toEqual(new Set([first]))
    expect(settings.LANES_ABSENT).toEqual([])
  })

  test.each([
    [none, [first, first], `LANE_SIGNERS names the key of ${first} twice.`],
    [{ ...none, LANES_RETIRING: [stranger] }, [first], `LANES_RETIRING names ${stranger}, which is not among`],
    [{ ...none, LANES_ABSENT: [first] }, [first], `LANES_ABSENT names ${first}, which LANE_SIGNERS has.`],
    [{ ...none, LANES_RETIRING: [first, second] }, [first, second], 'LANES_RETIRING names every lane'],
  ])('%j with the signers %j are refused', (settings, addresses, sentence) => {
    expect(() => retiringLanes(settings, addresses)).toThrow(sentence)
  })
})
