import { pauseMillis, type StoreName } from '../../core/archive.ts'
import type { OpenCopy } from '../../core/ports/archive.ts'
import { type ArchiveStore, type Sealed, StoreUnavailableError } from '../../core/ports/archive-store.ts'
import { auditHash } from '../../core/protocol/audit-record.ts'
import type { Stage, StageContext } from '../stage.ts'

/** Copies per claim, worked on at the same time. */
const copyCountMax = 8
/** Longer than all that one claim asks of a store, whose every answer has a time limit. */
const leaseMillis = 120_000

/**
 * A record's obligation to one store: waiting → sealed → posted → archived. It is archived once the store gave the very
 * bytes back and says that it keeps them; until then the obligation is open, with its last reason, and tried again.
 */
export function archiveTo(name: StoreName): Stage {
  return async (context) => {
    const { archive, config, stores } = context
    const { chainId, vault } = config
    const copies = await archive.claim({ chainId, vault, store: name, countMax: copyCountMax, leaseMillis })
    const outcomes = await Promise.allSettled(copies.map((copy) => drive(context, stores[name], copy)))
    // All have come to their end before the first fault is told: one copy never cuts off another.
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return copies.length === copyCountMax ? [{ stage: `archive-${name}` }] : []
  }
}

/** As far as it goes now. Where it stops or dies, the row says how it goes on. */
async function drive(context: StageContext, store: ArchiveStore, copy: OpenCopy): Promise<void> {
  const { archive } = context
  let { state } = copy
  try {
    const sealed = copy.sealed ?? (await store.seal(copy.bytes, tagsOf(copy)))
    if (state === 'waiting') {
      // Stored before anything is sent: whoever goes on from here sends the very same, and pays once.
      if (!(await archive.seal(copy, sealed))) return
      state = 'sealed'
    }
    if (state === 'sealed') {
      const put = await store.put(copy.bytes, sealed)
      if (put.outcome === 'refused') return await fail(context, copy, 'waiting', put.reason)
      if (!(await archive.post(copy))) return
      state = 'posted'
    }
    await check(context, store, copy, sealed)
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    await fail(context, copy, state, reasonOf(error))
  }
}

async function check(context: StageContext, store: ArchiveStore, copy: OpenCopy, { id }: Sealed): Promise<void> {
  const { archive, log } = context
  const keeping = await store.keeping(id)
  if (keeping.outcome === 'absent') return fail(context, copy, 'sealed', `${id} is not there: sent again`)
  if (keeping.outcome === 'pending') return archive.wait(copy, store.lookEveryMillis)

  const read = await store.read(id, copy.bytes.length)
  if (read.outcome === 'absent') return fail(context, copy, 'sealed', `${id} is kept and cannot be read: sent again`)
  if (!Buffer.from(copy.bytes).equals(read.value)) {
    const hash = auditHash(read.value)
    return fail(context, copy, 'sealed', `${id} reads as other bytes: sha256 ${hash} of ${read.value.length} bytes`)
  }
  if (await archive.finish(copy)) {
    log.info(
      { record: copy.id, store: store.name, sequence: copy.sequence, item: id },
      'archived: read back, byte-equal',
    )
  }
}

async function fail(
  { archive, log }: StageContext,
  copy: OpenCopy,
  state: OpenCopy['state'],
  reason: string,
): Promise<void> {
  const millis = pauseMillis(copy.failures + 1)
  await archive.fail(copy, { state, reason, millis })
  const facts = { record: copy.id, store: copy.store, sequence: copy.sequence, failures: copy.failures + 1 }
  log.warn({ ...facts, reason, retryAfterMillis: millis }, 'not archived yet')
}

/** By these an archive finds our records without us. Public for ever, like the bytes. */
function tagsOf({ chainId, sequence, sha256, cid }: OpenCopy): Readonly<Record<string, string>> {
  return {
    'App-Name': 'ICE-Relayer',
    'Content-Type': 'application/json',
    Schema: 'ice.audit-record/1',
    'Chain-Id': `${chainId}`,
    Sequence: `${sequence}`,
    'SHA-256': sha256.slice(2),
    CID: cid,
  }
}

function reasonOf(error: Error): string {
  const { message, cause } = error
  return cause instanceof Error ? `${message} (${reasonOf(cause)})` : message
}
