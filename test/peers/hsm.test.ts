import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { signTransaction } from '../../adapters/evm/transaction.ts'
import { pkcs11Signer } from '../../adapters/signer/pkcs11.ts'
import { pipeline } from '../../relayer/pipeline.ts'
import { localAccounts } from '../../scripts/local/accounts.ts'
import { expectNoSecret } from '../ports/signer.suite.ts'
import { startSurroundings } from '../relayer/processes.ts'
import { createWorld } from '../relayer/world.ts'
import { startSoftHsm } from './softhsm.ts'

const hsm = await startSoftHsm()
afterAll(hsm.stop)
hsm.makeKey('lane')
hsm.makeKey('authority')

test('a lane whose key never leaves an HSM settles payments, also after its sessions were closed', async () => {
  const world = await createWorld()
  const signer = await pkcs11Signer(hsm.uriOf('lane'))
  await world.client.setBalance({ address: signer.address, value: 10n ** 18n })
  await world.onVault(localAccounts.owner, 'addRelayer', [signer.address, world.config.relayerId])
  await world.mine()
  const lane = {
    address: signer.address,
    isRetiring: false,
    sign: async ({ accountNonce, gasLimit, ...rest }: Parameters<(typeof world.context.signers)[0]['sign']>[0]) => {
      const { raw, hash } = await signTransaction({ ...rest, signer, nonce: accountNonce, gas: gasLimit })
      return { rawTx: raw, hash }
    },
  }
  const payer = await world.payerWith(2_000_000n)
  for (const nonce of [0n, 1n]) {
    const { id } = await world.pay(payer, { nonce })
    for (const stage of ['batch', 'submit'] as const) await pipeline[stage]({ ...world.context, signers: [lane] })
    await world.settleDown()
    expect(await world.stateOf(id)).toBe('finalized')
    hsm.closeSessions()
  }
  expect(await world.onChain(payer.address)).toMatchObject({ balance: 0n })
})

test('the relayer and the API work with keys in an HSM and print no PIN; a wrong PIN ends the start', {
  timeout: 180_000,
}, async () => {
  const surroundings = await startSurroundings()
  const [lane, authority] = await Promise.all(['lane', 'authority'].map((label) => pkcs11Signer(hsm.uriOf(label))))
  if (lane === undefined || authority === undefined) throw new Error('two keys')
  await surroundings.addLane(lane.address)
  await surroundings.setAuthority(authority.address)
  const relayer = surroundings.start('relayer', { ...hsm.environment, LANE_SIGNERS: hsm.textOf('lane') })
  expect(await relayer.ready).toEqual({ lanes: [lane.address] })
  const api = surroundings.start('api', { ...hsm.environment, ACKNOWLEDGER: hsm.textOf('authority') })
  await api.ready
  expect(api.said()).toContain('A new acknowledgement key is certified')
  for (const { child } of [relayer, api]) child.kill('SIGTERM')
  expect(await Promise.all([relayer.ended, api.ended])).toEqual([0, 0])

  const wrongPin = join(surroundings.directory, 'wrong-pin')
  await writeFile(wrongPin, '00998877')
  const uri = hsm.textOf('lane').replace(hsm.pinPath, wrongPin)
  const refused = surroundings.start('relayer', { ...hsm.environment, LANE_SIGNERS: uri })
  expect(await refused.ended).toBe(1)
  expect(refused.said()).toBe(
    'The key lane of the PKCS#11 token ice cannot be used: its device refuses the PIN (CKR_PIN_INCORRECT); it is not tried again by this process.\n',
  )
  for (const { said } of [relayer, api, refused]) expectNoSecret(said(), [hsm.pin, '00998877'])
})
