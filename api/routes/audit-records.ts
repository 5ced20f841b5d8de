import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { RelayError } from '../../core/errors.ts'
import { auditHash } from '../../core/protocol/audit-record.ts'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { idParams } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'

const recordSchema = z
  .looseObject({ schema: z.literal('ice.audit-record/1') })
  .meta({ id: 'AuditRecord', description: 'Canonical JSON (RFC 8785); the schema is published with the source.' })

export const readAuditRecordRoute = createRoute({
  method: 'get',
  path: '/v1/audit/records/{id}',
  tags: ['Audit'],
  summary: 'Read the bytes of an audit record',
  description:
    'Exactly the bytes that are hashed and archived. For apps that may see the batch, apps with a payment in it, and operators. `not_found` until it is built.',
  request: { params: idParams('Audit record id', example.auditRecordId) },
  responses: {
    200: {
      description: 'The record. Repr-Digest (RFC 9530) holds its SHA-256',
      content: { 'application/json': { schema: recordSchema } },
    },
    ...problems('get', 'not_found'),
  },
})

export function readAuditRecord({ ports }: { ports: ApiPorts }): RouteHandler<typeof readAuditRecordRoute, ApiEnv> {
  return async (c) => {
    const { id } = c.req.valid('param')
    const bytes = (await isVisible(ports, id, c.get('app'))) ? await ports.auditRecords.bytes(id) : undefined
    if (bytes === undefined) throw new RelayError('not_found', 'No such audit record.')
    const digest = Buffer.from(auditHash(bytes).slice(2), 'hex').toString('base64')
    // As they are, or their hash would be another; the route's type knows only what is serialised from a value.
    return c.body(new Uint8Array(bytes), 200, {
      'content-type': 'application/json',
      'repr-digest': `sha-256=:${digest}:`,
    }) as never
  }
}

async function isVisible(
  { auditRecords, batches }: ApiPorts,
  id: string,
  app: ApiEnv['Variables']['app'],
): Promise<boolean> {
  if (app.role === 'operator' || (await auditRecords.isVisibleTo(id, app.id))) return true
  const record = await auditRecords.find(id)
  return record?.batchId !== undefined && (await batches.isVisibleTo(record.batchId, app.id))
}
