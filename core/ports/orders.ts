import type { Hex } from 'viem'
import type { Order } from '../order.ts'

/** An order as its app sees it. `paidBy`: the open or final payment that claims it. */
export type OrderRecord = Order & {
  readonly salt: Hex
  readonly paidBy: string | undefined
  readonly createdAtMillis: number
}

export type Orders = {
  /** `collides`: another order of this payee has the same orderRef; nothing is stored. Draw a new salt and try again. */
  readonly create: (order: Order & { readonly salt: Hex }) => Promise<'stored' | 'collides'>
  readonly find: (id: string) => Promise<OrderRecord | undefined>
}
