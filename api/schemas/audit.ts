import { z } from '@hono/zod-openapi'
import { copySteps } from '../../core/archive.ts'
import type { AuditRecordView } from '../../core/ports/audit-records.ts'
import { example } from './example.ts'
import { answer, isoOf } from './fields.ts'

const copySchema = z.object({
  state: z.enum(Object.keys(copySteps) as [string, ...string[]]).meta({
    description: 'archived: the store gave the very bytes back and keeps them',
    example: 'archived',
  }),
  failures: z.int().meta({ description: 'In a row, since it last went well', example: 0 }),
  reason: z.string().nullable().meta({ description: 'Of the last failure', example: null }),
  archivedAt: answer.time('When it was read back').nullable(),
})

/** An audit record beside what it records. */
export const auditViewSchema = z
  .object({
    id: z.string().meta({ description: 'Audit record id', example: example.auditRecordId }),
    sequence: z.string().meta({ description: 'Number of the record in its vault, without a gap', example: '12' }),
    sha256: answer.hash('SHA-256 of its bytes; null until it is built,').nullable(),
    cid: z.string().nullable().meta({ description: 'On IPFS; null until it is built', example: example.cid }),
    arweaveId: z.string().nullable().meta({ description: 'On Arweave; null until signed', example: example.arweaveId }),
    status: z.enum(['open', 'archived']).meta({ description: 'archived: in both stores', example: 'archived' }),
    ipfs: copySchema.nullable(),
    arweave: copySchema.nullable(),
  })
  .meta({ id: 'AuditView' })

export function showAudit({ id, sequence, sha256, cid, copies }: AuditRecordView): z.output<typeof auditViewSchema> {
  const [ipfs, arweave] = (['ipfs', 'arweave'] as const).map((name) => copies.find(({ store }) => store === name))
  const isArchived = ipfs?.state === 'archived' && arweave?.state === 'archived'
  return {
    id,
    sequence: `${sequence}`,
    sha256: sha256 ?? null,
    cid: cid ?? null,
    arweaveId: arweave?.itemId ?? null,
    status: isArchived ? 'archived' : 'open',
    ipfs: showCopy(ipfs),
    arweave: showCopy(arweave),
  }
}

function showCopy(copy: AuditRecordView['copies'][number] | undefined): z.output<typeof copySchema> | null {
  if (copy === undefined) return null
  const { state, failures, lastError, archivedAtMillis } = copy
  const archivedAt = archivedAtMillis === undefined ? null : isoOf(archivedAtMillis)
  return { state, failures, reason: lastError ?? null, archivedAt }
}
