// A real IPFS node that speaks the Kubo RPC, offline, on a free port of 127.0.0.1: js-ipfs, which is not ours. Argument:
// its repository. Plain JavaScript: its packages are installed beside it and not where the rest of the project looks.
import { create } from 'ipfs-core'
import { HttpApi } from 'ipfs-http-server'

const [repo] = process.argv.slice(2)
const Addresses = { Swarm: [], API: '/ip4/127.0.0.1/tcp/0', Gateway: '/ip4/127.0.0.1/tcp/0' }
const ipfs = await create({ repo, offline: true, silent: true, config: { Addresses, Bootstrap: [] } })
const api = new HttpApi(ipfs)
await api.start()
const { uri } = api._apiServers[0].info
for (const signal of ['disconnect', 'SIGTERM']) process.on(signal, () => process.exit(0))
process.send?.({ ready: { url: uri } })
