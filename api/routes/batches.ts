import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { batchSteps } from '../../core/batch.ts'
import { RelayError } from '../../core/errors.ts'
import type { AuditRecordView } from '../../core/ports/audit-records.ts'
import type { BatchRecord, BatchSummary } from '../../core/ports/batches.ts'
import { modes } from '../../core/protocol/taking.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { auditViewSchema, showAudit } from '../schemas/audit.ts'
import { example } from '../schemas/example.ts'
import { answer, idParams, isoOf } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'

const attemptSchema = z.object({
  id: z.string().meta({ description: 'Attempt id', example: example.attemptId }),
  tx: answer.hash('Transaction').nullable(),
  state: z.string().meta({ description: 'prepared, signed or sent', example: 'sent' }),
  maxFeePerGasWei: z.string().meta({ example: '1500000000' }),
  createdAt: answer.time('When it was prepared'),
})

/** A batch in a list. */
export const batchSummarySchema = z
  .object({
    id: z.string().meta({ description: 'Batch id', example: example.batchId }),
    state: z.enum(Object.keys(batchSteps) as [string, ...string[]]).meta({ example: 'finalized' }),
    chainId: z.int().meta({ example: example.chainId }),
    contract: answer.address('The vault, or the pull settler', example.vault),
    mode: z.enum(modes).meta({ description: 'How its money was taken', example: 'independent' }),
    token: answer.address('ERC-20 contract', example.token),
    anchor: answer.hash('Audit word in the batch’s event'),
    paymentCount: z.int().meta({ example: 58 }),
    cancelCount: z.int().meta({ example: 0 }),
    settledCount: z.int().nullable().meta({ description: 'Payments that took effect', example: 58 }),
    gasUsed: z.string().nullable().meta({ example: '812345' }),
    txHash: answer.hash('Transaction that settled it').nullable(),
    blockNumber: z.string().nullable().meta({ description: 'Block it was included in', example: '1289' }),
    blockHash: answer.hash('That block').nullable(),
    createdAt: answer.time('When it was closed'),
    includedAt: answer.time('When it was seen in a block').nullable(),
    finalizedAt: answer.time('When it was final').nullable(),
  })
  .meta({ id: 'BatchSummary' })
const batchViewSchema = batchSummarySchema
  .extend({
    attempts: z.array(attemptSchema).meta({ description: 'Its signed broadcasts; all of one account nonce' }),
    audit: auditViewSchema.nullable().meta({ description: 'Its audit record; null until it is final' }),
  })
  .meta({ id: 'BatchView' })

export const readBatchRoute = createRoute({
  method: 'get',
  path: '/v1/batches/{id}',
  tags: ['Batches'],
  summary: 'Read a settlement batch',
  description: 'For apps with a payment, an order’s payment or a payment to their payee in it, and operators.',
  request: { params: idParams('Batch id', example.batchId) },
  responses: {
    200: { description: 'The batch', content: { 'application/json': { schema: batchViewSchema } } },
    ...problems('get', 'not_found'),
  },
})

export function readBatch({
  ports: { batches, auditRecords },
}: {
  ports: ApiPorts
}): RouteHandler<typeof readBatchRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const { id: appId, role } = c.get('app')
    const isVisible = role === 'operator' || (await batches.isVisibleTo(id, appId))
    const record = isVisible ? await batches.find(id) : undefined
    if (record === undefined) throw new RelayError('not_found', 'No such batch.')
    return c.json(showBatch(record, await auditRecords.findOfBatch(id)), 200)
  }
}

function showBatch(record: BatchRecord, audit: AuditRecordView | undefined): z.output<typeof batchViewSchema> {
  return {
    ...showBatchSummary(record),
    attempts: record.attempts.map((attempt) => ({
      id: attempt.id,
      tx: attempt.txHash ?? null,
      state: attempt.state,
      maxFeePerGasWei: `${attempt.maxFeePerGasWei}`,
      createdAt: isoOf(attempt.createdAtMillis),
    })),
    audit: audit === undefined ? null : showAudit(audit),
  }
}

export function showBatchSummary(record: BatchSummary): z.output<typeof batchSummarySchema> {
  return {
    id: record.id,
    state: record.state,
    chainId: record.chainId,
    contract: record.vault,
    mode: record.mode,
    token: record.token,
    anchor: record.anchor,
    paymentCount: record.paymentCount,
    cancelCount: record.cancelCount,
    settledCount: record.settledCount ?? null,
    gasUsed: record.gasUsed === undefined ? null : `${record.gasUsed}`,
    txHash: record.txHash ?? null,
    blockNumber: record.blockNumber === undefined ? null : `${record.blockNumber}`,
    blockHash: record.blockHash ?? null,
    createdAt: isoOf(record.createdAtMillis),
    includedAt: record.includedAtMillis === undefined ? null : isoOf(record.includedAtMillis),
    finalizedAt: record.finalizedAtMillis === undefined ? null : isoOf(record.finalizedAtMillis),
  }
}
