import { generatePrivateKey } from 'viem/accounts'
import type { Config } from '../../core/config.ts'
import { RelayError } from '../../core/errors.ts'
import { type Clock, nowSeconds } from '../../core/ports/clock.ts'
import type { Acknowledger, KeyCertificate } from '../../core/ports/intake.ts'
import type { Log } from '../../core/ports/log.ts'
import type { Signer } from '../../core/ports/signer.ts'
import {
  acknowledgementKeyDigest,
  acknowledgementRootDigest,
  domainOf,
  domainSeparator,
} from '../../core/protocol/typed-data.ts'
import { localSigner } from '../signer/local.ts'

/** A stolen key is good for no longer than this. */
const keyLifeSeconds = 6 * 3600
/** Renewed this long before its end, so that an authority that is away for hours stops nobody. */
const renewBeforeSeconds = 3 * 3600
const renewCheckMillis = 60_000
/** `acceptedAt` comes from the clock of some API process; theirs may run behind ours. */
const clockSkewSeconds = 60

type Key = { readonly signer: Signer; readonly certificates: ReadonlyMap<number, KeyCertificate> }

/**
 * Signs roots with a key that exists in this process only and that the authority certifies for each vault: once at
 * start, then every three hours. So the authority (KMS or HSM) is never on the way of a payment.
 *
 * `certificate` and `signRoot` throw RelayError `internal` once the key has ended without a successor.
 * @throws what `authority` throws, at start only; later it is logged and tried again every minute.
 */
export async function createAcknowledger({
  config,
  authority,
  clock,
  log,
}: {
  readonly config: Config
  readonly authority: Signer
  readonly clock: Clock
  readonly log: Log
}): Promise<Acknowledger & { readonly stop: () => void }> {
  const separators = new Map(config.chains.map((chain) => [chain.chainId, domainSeparator(domainOf(chain))]))
  let key = await certify()
  let isRenewing = false
  const timer = setInterval(() => void renew(), renewCheckMillis)
  timer.unref()

  async function certify(): Promise<Key> {
    const signer = localSigner(generatePrivateKey())
    const now = BigInt(nowSeconds(clock))
    const certificates = new Map<number, KeyCertificate>()
    for (const { chainId, relayerId } of config.chains) {
      const claim = {
        relayerId,
        key: signer.address,
        notBefore: now - BigInt(clockSkewSeconds),
        notAfter: now + BigInt(keyLifeSeconds),
      }
      const signature = await authority.signDigest(acknowledgementKeyDigest(separatorOf(chainId), claim))
      certificates.set(chainId, { ...claim, authority: authority.address, signature })
    }
    return { signer, certificates }
  }

  async function renew(): Promise<void> {
    const ends = [...key.certificates.values()].map(({ notAfter }) => Number(notAfter))
    if (isRenewing || Math.min(...ends) - nowSeconds(clock) > renewBeforeSeconds) return
    isRenewing = true
    try {
      key = await certify()
      log.info({ key: key.signer.address }, 'A new acknowledgement key is certified.')
    } catch (error) {
      log.error({ err: error }, 'The acknowledgement key could not be renewed; the old one still serves.')
    } finally {
      isRenewing = false
    }
  }

  function certificate(chainId: number): KeyCertificate {
    const found = key.certificates.get(chainId)
    if (found === undefined) throw new RelayError('internal', `no acknowledgement key for chain ${chainId}`)
    if (BigInt(nowSeconds(clock)) > found.notAfter) {
      throw new RelayError('internal', `the acknowledgement key ended at ${found.notAfter}`)
    }
    return found
  }

  function separatorOf(chainId: number) {
    const separator = separators.get(chainId)
    if (separator === undefined) throw new RelayError('internal', `chain ${chainId} is not configured`)
    return separator
  }

  return {
    certificate,
    signRoot: async (chainId, root) => {
      certificate(chainId)
      return key.signer.signDigest(acknowledgementRootDigest(separatorOf(chainId), root))
    },
    stop: () => clearInterval(timer),
  }
}
