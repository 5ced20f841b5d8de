import type { Address } from 'viem'
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

/** A stolen key is good for no longer than this. */
const lifetimeSecondsDefault = 6 * 3600
/** With less, a payment could outlive the key it was timed under before its answer is signed. */
const lifetimeSecondsMin = 60
/** How often it is looked whether a key is due; also how soon an authority that failed is asked again. */
const lookMillisMax = 30_000

export type Authority = { readonly authority: Signer; readonly relayerId: number; readonly vault: Address }

export type RotatingAcknowledger = Acknowledger & {
  /** Replaces keys past half their life. Runs by itself; rejects with what an authority threw, the old key stays. */
  readonly rotate: () => Promise<void>
  /** Ends the rotation. Keys in use stay usable until they end. */
  readonly stop: () => void
}

type Key = { readonly signer: Signer; readonly certificate: KeyCertificate; readonly rotateAtSeconds: number }

/**
 * Signs with keys that live only in this process, one per chain, each certified by the chain's authority for
 * `lifetimeSeconds` (default 6 h). A key is replaced at half its life, so an authority may be out of reach for the other
 * half, and no acknowledgement ever waits for one. A certificate also reaches half a life back: a payment that was timed
 * just before its key took over, or by a clock that runs behind, is covered.
 *
 * `certificate` and `signRoot` called one after the other, without an await between, speak of the same key. Both throw
 * RelayError `internal` when the authority was out of reach for too long; retrying helps once it is back.
 * @throws what an authority throws at the start; later that is logged and tried again.
 */
export async function createAcknowledger({
  clock,
  lifetimeSeconds = lifetimeSecondsDefault,
  log,
  authorities,
  newKey,
}: {
  /** By chain id. */
  readonly authorities: ReadonlyMap<number, Authority>
  /** A fresh key that never leaves this process. */
  readonly newKey: () => Signer
  readonly clock: Clock
  readonly lifetimeSeconds?: number
  readonly log?: Log
}): Promise<RotatingAcknowledger> {
  if (!(lifetimeSeconds >= lifetimeSecondsMin)) {
    throw new RangeError(`an acknowledgement key lives ${lifetimeSeconds} s, at least ${lifetimeSecondsMin} are needed`)
  }
  const separators = new Map(
    [...authorities].map(([chainId, { vault }]) => [chainId, domainSeparator(domainOf({ chainId, vault }))]),
  )
  const separatorOf = (chainId: number) => separators.get(chainId) ?? unknownChain(chainId)
  const keys = new Map<number, Key>()

  async function certify(chainId: number, { authority, relayerId }: Authority): Promise<void> {
    const now = nowSeconds(clock)
    const half = Math.floor(lifetimeSeconds / 2)
    const signer = newKey()
    const notBefore = BigInt(now - half)
    const claim = { relayerId, key: signer.address, notBefore, notAfter: BigInt(now + lifetimeSeconds) }
    const signature = await authority.signDigest(acknowledgementKeyDigest(separatorOf(chainId), claim))
    const certificate = { ...claim, authority: authority.address, signature }
    keys.set(chainId, { signer, certificate, rotateAtSeconds: now + half })
    log?.info({ chainId, key: signer.address }, 'A new acknowledgement key is certified')
  }

  async function rotateDue(): Promise<void> {
    const now = nowSeconds(clock)
    const due = [...authorities].filter(([chainId]) => now >= (keys.get(chainId)?.rotateAtSeconds ?? now))
    // All settle before one may throw, so an authority that fails keeps no other chain from its key.
    const outcomes = await Promise.allSettled(due.map(([chainId, authority]) => certify(chainId, authority)))
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  let rotating: Promise<void> | undefined
  function rotate(): Promise<void> {
    rotating ??= rotateDue().finally(() => {
      rotating = undefined
    })
    return rotating
  }

  function look(): void {
    rotate().catch((error: unknown) =>
      log?.error({ err: error }, 'No new acknowledgement key; the old one still serves'),
    )
  }

  function inForce(chainId: number): Key {
    const key = keys.get(chainId) ?? unknownChain(chainId)
    const { notAfter } = key.certificate
    if (BigInt(nowSeconds(clock)) <= notAfter) return key
    // A machine that slept through the rotation catches up at the first question.
    look()
    throw new RelayError('internal', `the acknowledgement key of chain ${chainId} ended at ${notAfter}`)
  }

  await rotate()
  const timer = setInterval(look, Math.min(lookMillisMax, lifetimeSeconds * 100))
  // A process that is done must not stay for the sake of its keys.
  timer.unref()

  return {
    certificate: (chainId) => inForce(chainId).certificate,
    async signRoot(chainId, root) {
      // Chosen before any await, so it is the key whose certificate was read in the same turn.
      const { signer } = inForce(chainId)
      return signer.signDigest(acknowledgementRootDigest(separatorOf(chainId), root))
    },
    rotate,
    stop: () => clearInterval(timer),
  }
}

function unknownChain(chainId: number): never {
  throw new RelayError('internal', `chain ${chainId} has no acknowledgement authority`)
}
