import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { CID } from 'multiformats/cid'
import { openBlocks } from '../../adapters/ipfs/blocks.ts'
import { readFile } from '../../adapters/ipfs/unixfs.ts'

/**
 * The process behind startIpfs: the read side of an IPFS gateway, `GET /ipfs/{cid}`, over a folder of blocks, on
 * 127.0.0.1. Argument: the folder. Ends when its supervisor does.
 * @see https://specs.ipfs.tech/http-gateways/path-gateway/
 */
const fileBytesMax = 16 * 1024 * 1024
const [directory = ''] = process.argv.slice(2)
const blocks = await openBlocks(directory)

const server = createServer((request, response) => void serve(request, response))
server.listen({ port: 0, host: '127.0.0.1' }, () => {
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  process.send?.({ ready: { url: `http://127.0.0.1:${port}` } })
})
for (const signal of ['disconnect', 'SIGTERM'] as const) process.on(signal, () => process.exit(0))

async function serve({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const end = (status: number, text: string) =>
    void response.writeHead(status, { 'content-type': 'text/plain' }).end(text)
  const [, path] = /^\/ipfs\/([a-zA-Z0-9]{1,128})$/.exec(new URL(url, 'http://gateway').pathname) ?? []
  if (method !== 'GET' && method !== 'HEAD') return end(405, 'This gateway only reads.\n')
  const cid = path === undefined ? undefined : parse(path)
  if (cid === undefined) return end(400, 'Ask for /ipfs/{cid}.\n')
  try {
    const bytes = await readFile(blocks, cid, fileBytesMax)
    if (bytes.length > fileBytesMax) return end(413, `Longer than ${fileBytesMax} bytes.\n`)
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': bytes.length,
      'cache-control': 'public, max-age=29030400, immutable',
      etag: `"${cid}"`,
      'x-ipfs-path': `/ipfs/${cid}`,
      'x-content-type-options': 'nosniff',
    })
    response.end(method === 'HEAD' ? undefined : bytes)
  } catch (error) {
    end(404, `Not here: ${error instanceof Error ? error.message : error}\n`)
  }
}

function parse(text: string): CID | undefined {
  try {
    return CID.parse(text)
  } catch {
    // No CID: the caller is told how to ask.
    return undefined
  }
}
