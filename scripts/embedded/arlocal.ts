import { mkdir } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import arlocal from 'arlocal'

/**
 * The process behind startArweave: arlocal on 127.0.0.1 with blocks that come by themselves. Arguments: port, folder,
 * milliseconds between blocks. Ends when its supervisor does.
 */
const [port, directory = '', blockMillis] = process.argv.slice(2)
// It writes a log into the folder where it stands.
await mkdir(directory, { recursive: true })
process.chdir(directory)
const url = `http://127.0.0.1:${port}`

const gateway = new arlocal.default(Number(port), false, directory, true)
const listening = listenLocally(gateway)
await gateway.start()
await listening
process.on('disconnect', () => process.exit(0))
process.on('SIGTERM', () => process.exit(0))
process.send?.({ ready: { url } })

for (;;) {
  await sleep(Number(blockMillis))
  const pending = await fetch(`${url}/tx/pending`).then((response) => response.json())
  // Two blocks: the tx's own, and a confirmation.
  if (Array.isArray(pending) && pending.length > 0) await fetch(`${url}/mine/2`)
}

/** It would listen on all interfaces, and say that it has started before it does. Resolves once it listens. */
function listenLocally(started: object): Promise<void> {
  const { app } = started as { app: { callback: () => RequestListener; listen: unknown } }
  return new Promise((resolve, reject) => {
    app.listen = (at: number, onListening: () => void) => {
      const server = createServer(app.callback())
      return server
        .once('listening', resolve)
        .once('error', reject)
        .listen({ port: at, host: '127.0.0.1' }, onListening)
    }
  })
}
