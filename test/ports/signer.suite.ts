import { inspect } from 'node:util'
import { recoverAddress as ethersRecover, Signature } from 'ethers'
import * as fc from 'fast-check'
import { type Hex, recoverAddress, toHex } from 'viem'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Signer } from '../../core/ports/signer.ts'
import { parseSignature } from '../../core/protocol/signature.ts'

export type Custody = {
  readonly signer: Signer
  /** What must not show anywhere: keys, passwords, PINs. */
  readonly secrets: readonly string[]
}

/** What every custody of a key must do, whatever it is made of. */
export function testSigner(name: string, open: () => Promise<Custody>): void {
  describe(name, () => {
    let signer: Signer
    let secrets: readonly string[]
    beforeAll(async () => {
      ;({ signer, secrets } = await open())
    })

    async function expectCanonical(digest: Hex): Promise<void> {
      const signature = await signer.signDigest(digest)
      expect(parseSignature(signature)).toMatchObject({ outcome: 'ok', full: signature })
      expect(ethersRecover(digest, Signature.from(signature))).toBe(signer.address)
      expect(await recoverAddress({ hash: digest, signature })).toBe(signer.address)
    }

    test('signs any digest canonically, and viem and ethers both recover its address', async () => {
      const digests = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => toHex(bytes))
      const edges = [`0x${'00'.repeat(32)}`, `0x${'ff'.repeat(32)}`] as const
      await fc.assert(fc.asyncProperty(digests, expectCanonical), {
        numRuns: 60,
        examples: edges.map((edge) => [edge]),
      })
    })

    test('signs forty digests that are asked for at once, each its own', async () => {
      const digests = Array.from({ length: 40 }, (_, index) => toHex(index + 1, { size: 32 }))
      await Promise.all(digests.map(expectCanonical))
    })

    test('shows no secret in JSON, nor when it is inspected', () => {
      const shown = [JSON.stringify(signer), inspect(signer, { depth: 9, showHidden: true })].join('\n')
      expectNoSecret(shown, secrets)
    })
  })
}

/** @param shown anything a person may get to see */
export function expectNoSecret(shown: string, secrets: readonly string[]): void {
  for (const secret of secrets) expect(shown.toLowerCase()).not.toContain(secret.toLowerCase())
}

/** The error that `work` rejects with, which is of this kind and quotes no secret, however it is looked at. */
export async function failureOf<Kind extends Error>(
  work: Promise<unknown>,
  kind: new (...args: never[]) => Kind,
  secrets: readonly string[],
): Promise<Kind> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof kind)) throw new Error(`expected ${kind.name}, got ${inspect(error)}`)
  expectNoSecret([inspect(error, { depth: 9, showHidden: true }), error.stack].join('\n'), secrets)
  return error
}
