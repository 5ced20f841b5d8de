import { createServer } from 'node:net'
import { StartError } from './start-error.ts'

/**
 * Throws unless `port` can be listened on at `host`.
 *
 * @param remedy what the reader can do about it, when the port is not the one that `npm start -- --port` chooses
 */
export async function assertPortFree(
  port: number,
  host: string,
  { remedy = `Stop it, or choose another port: npm start -- --port ${port + 1}.` }: { readonly remedy?: string } = {},
): Promise<void> {
  try {
    await listenOnce({ port, host })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new StartError(`Port ${port} is taken by another program. ${remedy}`)
    if (code === 'EACCES') throw new StartError(`Port ${port} may not be opened by this user. Choose one above 1023.`)
    throw error
  }
}

/** A port of 127.0.0.1 that nothing listens on at this moment. */
export async function freePort(): Promise<number> {
  return await listenOnce({ port: 0, host: '127.0.0.1' })
}

function listenOnce({ port, host }: { readonly port: number; readonly host: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address()
      const bound = typeof address === 'object' && address !== null ? address.port : port
      server.close(() => resolve(bound))
    })
  })
}
