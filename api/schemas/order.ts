import { z } from '@hono/zod-openapi'
import type { OrderRecord } from '../../core/ports/orders.ts'
import { example } from './example.ts'
import { answer, isoOf } from './fields.ts'
import { stateSchema } from './intent.ts'

export const orderStateSchema = z.enum(['open', 'claimed', 'expired'])

/** An order as its app sees it. */
export const orderViewSchema = z
  .object({
    id: z.string().meta({ description: 'Order id', example: example.orderId }),
    state: orderStateSchema.meta({
      description: 'claimed: a payment is open or final for it; `payment.state` says which',
    }),
    chainId: z.int().meta({ example: example.chainId }),
    payee: answer.address('Who is paid', example.payee),
    token: answer.address('ERC-20 contract', example.token),
    amount: answer.amount('Amount'),
    reference: z.string().meta({ description: 'Your own name for it', example: 'invoice 2026-1187' }),
    orderHash: answer.hash('keccak256(id ‖ salt ‖ reference)'),
    orderRef: z.string().meta({ description: 'First 8 bytes of it: what the payer signs', example: example.orderRef }),
    salt: z
      .string()
      .meta({ description: '16 bytes; with them you prove what was ordered', example: `0x${'3c'.repeat(16)}` }),
    payment: z
      .object({ id: z.string().meta({ example: example.intentId }), state: stateSchema })
      .nullable()
      .meta({ description: 'The payment that claims it' }),
    expiresAt: answer.time('Last second in which a payment is accepted'),
    createdAt: answer.time('When it was stored'),
  })
  .meta({ id: 'OrderView' })
export type OrderView = z.output<typeof orderViewSchema>

export function showOrder(order: OrderRecord, payment: OrderView['payment'], now: number): OrderView {
  const isOver = order.expiresAt < BigInt(now)
  return {
    id: order.id,
    state: order.paidBy !== undefined ? 'claimed' : isOver ? 'expired' : 'open',
    chainId: order.chainId,
    payee: order.payee,
    token: order.token,
    amount: `${order.amount}`,
    reference: order.reference,
    orderHash: order.orderHash,
    orderRef: order.orderRef,
    salt: order.salt,
    payment,
    expiresAt: isoOf(Number(order.expiresAt) * 1000),
    createdAt: isoOf(order.createdAtMillis),
  }
}
