import type { Node } from './chain.suite.ts'

export async function tell({ rpcUrl }: Node, method: string, params: readonly unknown[]): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const response = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const answer = (await response.json()) as { error?: { message: string } }
  if (answer.error) throw new Error(`${method}: ${answer.error.message}`)
}

/** Blocks come from here and not from the node's clock, so that a test can hold them back. */
export async function minedFromHere(start: (options: { blockSeconds: number }) => Promise<Node>, mineMethod: string) {
  const node = await start({ blockSeconds: 3_600 })
  const mine = () => tell(node, mineMethod, ['0x1'])
  let isPaused = false
  const mining = (async () => {
    while (!isPaused) {
      await mine()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  const pause = () => {
    isPaused = true
    return mining
  }
  return { ...node, mine, pause, stop: () => pause().then(node.stop) }
}
