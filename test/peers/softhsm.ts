import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import graphene from 'graphene-pk11'
import type { SignerUri } from '../../core/signer-uri.ts'

/** SoftHSM 2 with one token in a directory of its own, and keys made inside it. */
export type SoftHsm = {
  readonly pin: string
  /** What a process needs to see the same token. */
  readonly environment: { readonly SOFTHSM2_CONF: string }
  readonly makeKey: (label: string, traits?: { readonly isExtractable?: boolean; readonly curve?: string }) => void
  readonly uriOf: (label: string) => Extract<SignerUri, { custody: 'pkcs11' }>
  readonly textOf: (label: string) => string
  readonly pinPath: string
  /** As a device does that restarts or is taken over: every session of this process is gone. */
  readonly closeSessions: () => void
  /** The device is gone, with whatever the process had of it, until `plugIn`. */
  readonly unplug: () => Promise<void>
  readonly plugIn: () => Promise<void>
  readonly stop: () => Promise<void>
}

const secp256k1 = '06052b8104000a'
const modules = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so']

/** SoftHSM reads its configuration once per process, so a process has one of these. */
export async function startSoftHsm(): Promise<SoftHsm> {
  const modulePath = modules.find(existsSync)
  if (modulePath === undefined) throw new Error('SoftHSM is missing: install it with apt-get install softhsm2.')
  const directory = await mkdtemp(join(tmpdir(), 'ice-softhsm-'))
  const [tokens, pinPath, pin] = [join(directory, 'tokens'), join(directory, 'pin'), '48151623']
  const environment = { SOFTHSM2_CONF: join(directory, 'softhsm2.conf') }
  await writeFile(environment.SOFTHSM2_CONF, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`)
  await writeFile(pinPath, `${pin}\n`)
  runIn(environment, 'mkdir', [tokens])
  runIn(environment, 'softhsm2-util', [
    ...['--init-token', '--free', '--label', 'ice', '--pin', pin, '--so-pin', `${pin}${pin}`],
  ])
  Object.assign(process.env, environment)
  const module = graphene.Module.load(modulePath)
  module.initialize()
  const slotOf = () => {
    const slots = module.getSlots(true)
    const found = Array.from({ length: slots.length }, (_, index) => slots.items(index)).find(
      (slot) => slot.getToken().label === 'ice',
    )
    if (found === undefined) throw new Error('the token that was just made is missing')
    return found
  }

  return {
    ...{ pin, environment, pinPath },
    makeKey: (label, { isExtractable = false, curve = secp256k1 } = {}) => {
      const { SessionFlag, KeyGenMechanism } = graphene
      const session = slotOf().open(SessionFlag.SERIAL_SESSION | SessionFlag.RW_SESSION)
      try {
        session.login(pin)
      } catch (error) {
        if (!`${error}`.includes('ALREADY_LOGGED_IN')) throw error
      }
      const name = { label, id: Buffer.from(label), token: true }
      session.generateKeyPair(
        KeyGenMechanism.ECDSA,
        { ...name, paramsEC: Buffer.from(curve, 'hex'), verify: true },
        { ...name, private: true, sensitive: true, extractable: isExtractable, sign: true },
      )
      session.close()
    },
    uriOf: (label) => ({
      ...{ custody: 'pkcs11', modulePath, pinPath, token: 'ice', object: label },
      ...{ serial: undefined, id: undefined },
    }),
    textOf: (label) => `pkcs11:token=ice;object=${label}?module-path=${modulePath}&pin-source=file:${pinPath}`,
    closeSessions: () => slotOf().closeAll(),
    unplug: async () => {
      module.finalize()
      await rename(tokens, `${tokens}-away`)
      runIn(environment, 'mkdir', [tokens])
    },
    plugIn: async () => {
      await rm(tokens, { recursive: true })
      await rename(`${tokens}-away`, tokens)
    },
    stop: () => rm(directory, { recursive: true, force: true }),
  }
}

function runIn(environment: NodeJS.ProcessEnv, command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { env: { ...process.env, ...environment } })
  if (status !== 0) throw error ?? new Error(`${command}: ${stderr}`)
}
