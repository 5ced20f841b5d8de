import { type Admission, admit, type Candidate } from '../../core/admit.ts'
import { RelayError } from '../../core/errors.ts'
import type { Acknowledger, Admitted, Intake, SignedAcknowledgement } from '../../core/ports/intake.ts'
import type { Acknowledgement } from '../../core/protocol/typed-data.ts'
import { type SignedTree, signTree, storeTrees } from './acknowledgements.ts'
import type { IdPrefix } from './codec.ts'
import { retryContention } from './contention.ts'
import { type Database, type DbTransaction, inTransaction } from './database.ts'
import { lockBooks } from './intake-books.ts'
import { storeTaken, type Taken } from './intake-writes.ts'

/** Payments decided in one DB transaction: more would keep their payers' rows locked for too long. */
const admitCountMax = 256

type Wiring = {
  readonly database: Database
  readonly acknowledger: Acknowledger
  readonly newId: (prefix: IdPrefix) => string
}

/**
 * `admit` takes at most `admitCountMax` candidates (RangeError above); addresses EIP-55, digests lower-case. It throws
 * what the database or the acknowledger throws: then nothing of the set is stored.
 */
export function createIntake(wiring: Wiring): Intake {
  return {
    admit: async (candidates, nowSeconds) => {
      if (candidates.length > admitCountMax) {
        throw new RangeError(`${candidates.length} candidates in one set, at most ${admitCountMax}`)
      }
      if (candidates.length === 0) return []
      return retryContention(() => inTransaction(wiring.database, (tx) => commit(tx, wiring, candidates, nowSeconds)))
    },
  }
}

async function commit(
  tx: DbTransaction,
  wiring: Wiring,
  candidates: readonly Candidate[],
  nowSeconds: number,
): Promise<readonly Admitted[]> {
  const books = await lockBooks(tx, candidates, nowSeconds)
  const decided = admit(candidates, books, nowSeconds).map((admission, index) => ({
    admission,
    candidate: candidates[index] ?? impossible(),
  }))
  const accepted = decided.flatMap(({ admission, candidate }) =>
    admission.outcome === 'accepted'
      ? [{ candidate, acknowledgement: acknowledgementOf(candidate, admission, nowSeconds) }]
      : [],
  )
  const trees = await signTrees(wiring, accepted)
  const places = placesOf(trees)

  await storeTrees(tx, trees)
  await storeTaken(
    tx,
    decided.flatMap(({ admission, candidate }): Taken[] => {
      const orderAppId = books.order(candidate)?.appId
      if (admission.outcome === 'held') return [{ candidate, orderAppId, ...admission }]
      if (admission.outcome !== 'accepted') return []
      return [
        {
          candidate,
          outcome: 'accepted',
          orderId: admission.orderId,
          orderAppId,
          ...(places.get(candidate.digest) ?? impossible()),
        },
      ]
    }),
  )
  return decided.map(({ admission, candidate }): Admitted => {
    if (admission.outcome === 'held') return { outcome: 'held', id: candidate.id, reason: admission.reason }
    if (admission.outcome !== 'accepted') return admission
    const { acknowledgement } = places.get(candidate.digest) ?? impossible()
    return { outcome: 'accepted', id: candidate.id, acknowledgement }
  })
}

type Accepted = { readonly candidate: Candidate; readonly acknowledgement: Acknowledgement }

function acknowledgementOf(
  { digest }: Candidate,
  { orderHash, guarantee, settleBy }: Extract<Admission, { outcome: 'accepted' }>,
  nowSeconds: number,
): Acknowledgement {
  // Settling is free for now; the field is signed, so that a fee can never be added afterwards.
  return { paymentDigest: digest, orderHash, fee: 0n, guarantee, acceptedAt: BigInt(nowSeconds), settleBy }
}

/** One tree per chain. Signing is local and fast, so it may happen under the locks: the answer commits with its signature. */
function signTrees({ acknowledger, newId }: Wiring, accepted: readonly Accepted[]): Promise<readonly SignedTree[]> {
  const byChain = Map.groupBy(accepted, ({ candidate }) => candidate.chain.chainId)
  return Promise.all(
    [...byChain].map(([chainId, group]) =>
      signTree(acknowledger, {
        id: newId('ak'),
        chainId,
        acknowledgements: group.map(({ acknowledgement }) => acknowledgement),
      }),
    ),
  )
}

type Place = { readonly treeId: string; readonly index: number; readonly acknowledgement: SignedAcknowledgement }

/** By digest. */
function placesOf(trees: readonly SignedTree[]): ReadonlyMap<string, Place> {
  return new Map(
    trees.flatMap(({ id, acknowledgements }) =>
      acknowledgements.map((acknowledgement, index): [string, Place] => [
        acknowledgement.paymentDigest,
        { treeId: id, index, acknowledgement },
      ]),
    ),
  )
}

function impossible(): never {
  throw new RelayError('internal', 'a candidate was decided without an answer')
}
