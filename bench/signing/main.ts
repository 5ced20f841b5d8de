import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encryptKeystoreJson } from 'ethers'
import { toHex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { openSigner } from '../../adapters/signer/open.ts'
import type { SignerUri } from '../../core/signer-uri.ts'
import { startSoftHsm } from '../../test/peers/softhsm.ts'
import { startKms } from '../../test/ports/kms-double.ts'

/**
 * Milliseconds to open each custody and to sign with it, one signature after the other: `npm run bench:signing`. For AWS
 * KMS it times the SDK against the double on this machine, so the way to Amazon and Amazon's own time come on top.
 */
const signatureCount = 200
const directory = await mkdtemp(join(tmpdir(), 'ice-bench-signing-'))
const [kms, hsm] = await Promise.all([startKms(), startSoftHsm()])
Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' })
hsm.makeKey('lane')
const privateKey = generatePrivateKey()
const [path, passwordPath] = [join(directory, 'lane.json'), join(directory, 'password')]
await writeFile(path, await encryptKeystoreJson({ address: privateKeyToAddress(privateKey), privateKey }, 'password'))
await writeFile(passwordPath, 'password')

const uris: readonly SignerUri[] = [
  { custody: 'local', privateKey },
  { custody: 'keystore', path, passwordPath },
  { custody: 'aws-kms', keyId: 'alias/ice', region: 'eu-central-1', endpoint: kms.endpoint },
  hsm.uriOf('lane'),
]
for (const uri of uris) {
  const start = performance.now()
  const signer = await openSigner(uri)
  const openMillis = performance.now() - start
  const millis: number[] = []
  for (let index = 0; index < signatureCount; index++) {
    const from = performance.now()
    await signer.signDigest(toHex(index, { size: 32 }))
    millis.push(performance.now() - from)
  }
  millis.sort((a, b) => a - b)
  const at = (share: number) => millis[Math.floor(share * signatureCount)]?.toFixed(2)
  process.stdout.write(
    `${uri.custody}: opened in ${openMillis.toFixed(0)} ms; p10 ${at(0.1)} ms, median ${at(0.5)} ms, p90 ${at(0.9)} ms\n`,
  )
}
await Promise.all([kms.stop(), hsm.stop(), rm(directory, { recursive: true })])
