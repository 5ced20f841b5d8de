import type { Address, Hex } from 'viem'
import type { Order } from '../order.ts'
import type { Page, PageRequest } from './page.ts'

/** An order as its app sees it. `paidBy`: the open or final payment that claims it. */
export type OrderRecord = Order & {
  readonly salt: Hex
  readonly paidBy: string | undefined
  readonly createdAtMillis: number
}

/** Which orders of one app a list shows; a field that is undefined leaves nothing out. */
export type OrderQuery = PageRequest & {
  readonly appId: string
  readonly payee: Address | undefined
  /** The merchant's own name for it, exactly. */
  readonly reference: string | undefined
  readonly state: 'open' | 'claimed' | 'expired' | undefined
  readonly nowSeconds: number
}

export type Orders = {
  /** `collides`: another order of this payee has the same orderRef; nothing is stored. Draw a new salt and try again. */
  readonly create: (order: Order & { readonly salt: Hex }) => Promise<'stored' | 'collides'>
  readonly find: (id: string) => Promise<OrderRecord | undefined>
  readonly list: (query: OrderQuery) => Promise<Page<OrderRecord>>
}
