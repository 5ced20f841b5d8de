// A process of its own that works on a queue, to be killed or to end: `node queue-process.ts <connection> <behaviour>`.
import { createQueue } from '../../adapters/bullmq/queue.ts'

const [connection = '', behaviour] = process.argv.slice(2)
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const queue = await createQueue({ connection: JSON.parse(connection), log: silent, clock: { nowMillis: Date.now } })

if (behaviour === 'hang') {
  await queue.work(async () => {
    process.send?.('took it')
    await new Promise((resolve) => setTimeout(resolve, 3_600_000))
  })
}
if (behaviour === 'close') {
  const { promise, resolve } = Promise.withResolvers<void>()
  await queue.work(async () => resolve())
  await queue.wake({ stage: 'batch', chainId: 12 })
  await promise
  await queue.close()
  process.disconnect()
}
if (behaviour === 'close when told') {
  await queue.work(() => Promise.resolve())
  process.once('message', async () => {
    await queue.close()
    process.disconnect()
  })
  process.send?.('ready')
}
