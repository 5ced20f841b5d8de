import { StartError } from './embedded/start-error.ts'
import { localAccounts, privateKeyOf } from './local/accounts.ts'
import { fundPayers } from './local/fund.ts'
import { openHome } from './local/home.ts'
import { type Options, parseOptions, usage } from './local/options.ts'
import { type System, startSystem } from './local/system.ts'
import { playStory } from './story/story.ts'
import { createTerminal, type Terminal } from './story/terminal.ts'

// With --json, standard output belongs to programs: one line, and what people read goes to standard error.
const isJson = process.argv.includes('--json')
const terminal = createTerminal(isJson ? process.stderr : process.stdout)

try {
  const options = parseOptions(process.argv.slice(2))
  if (options === 'help') terminal.text(usage)
  else process.exitCode = await run(options)
} catch (error) {
  // A StartError is a whole sentence for people; anything else is a fault of ours and shows where.
  process.stderr.write(
    `\n${error instanceof StartError ? error.message : error instanceof Error ? error.stack : error}\n`,
  )
  process.exitCode = 1
}
// A socket that a client keeps alive must not keep us: everything that matters has been stopped.
setTimeout(() => process.exit(), 2_000).unref()

async function run(options: Options): Promise<number> {
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve('interrupted'))
  })
  const home = await openHome(options.data)
  if (options.mode === 'story') terminal.heading('ICE Relayer: the life of a payment')

  let system: System | undefined
  const starting = terminal.step('Start', async ({ say, tell }) => {
    const startedMillis = performance.now()
    system = await startSystem({ options, home, onStep: (part) => say(`starting ${part}`) })
    const seconds = ((performance.now() - startedMillis) / 1000).toFixed(1)
    tell(
      `Postgres, BullMQ, ${options.chain} chain ${system.deployment.chainId}, vault, IPFS, Arweave, API and relayer in ${seconds} s`,
    )
    return system
  })
  try {
    const started = await Promise.race([starting, interrupted])
    if (started === 'interrupted') return await starting.then(() => 130)
    const outcome = await Promise.race([
      serve(options, started),
      interrupted,
      started.broken.then((reason) => ({ reason })),
    ])
    if (typeof outcome === 'object') throw new StartError(outcome.reason)
    return outcome === 'done' || options.mode === 'serve' || !options.isOnce ? 0 : 130
  } finally {
    if (system !== undefined) await terminal.step('Stop', () => system?.stop() ?? Promise.resolve())
    await home.leave()
  }
}

/** Resolves when there is nothing more to do; otherwise it is up to Ctrl-C. */
async function serve(options: Options, system: System): Promise<'done'> {
  if (options.mode === 'serve') {
    await terminal.step('Fund', ({ say }) => {
      say('demo payers get tokens and deposits')
      return fundPayers(system)
    })
    announce(options, system, terminal)
  } else {
    await playStory(system, terminal)
    if (options.isOnce) return 'done'
    showAddresses(system, terminal)
  }
  return new Promise(() => undefined)
}

function announce(options: Options, system: System, { text }: Terminal): void {
  if (!options.isJson) showAddresses(system, terminal)
  else process.stdout.write(`${JSON.stringify(describe(system))}\n`)
  if (!options.isJson) text('')
}

function showAddresses({ api, rpc, archives }: System, { text }: Terminal): void {
  text(`  API        ${api}`)
  text(`  Docs       ${api}/docs`)
  text(`  Metrics    ${api}/metrics`)
  text(`  Chain RPC  ${rpc}`)
  if (archives.ipfs !== undefined) text(`  IPFS       ${archives.ipfs}`)
  text(`  Arweave    ${archives.arweave}`)
  text('\n  Ctrl-C stops everything.')
}

/** All that another program needs to use this system. The keys are those of the public test mnemonic. */
function describe({ api, rpc, deployment, archives, apps }: System): object {
  return {
    api,
    rpc,
    chainId: deployment.chainId,
    contracts: { vault: deployment.vault, pullSettler: deployment.pullSettler ?? null },
    relayerId: deployment.relayerId,
    archives: { ipfs: archives.ipfs ?? null, arweave: archives.arweave },
    tokens: deployment.tokens,
    app: apps.wallet,
    merchantApp: apps.merchant,
    operatorApp: apps.operator,
    payers: localAccounts.payers.map((account) => ({ address: account.address, privateKey: privateKeyOf(account) })),
    merchants: localAccounts.merchants.map((account) => ({
      address: account.address,
      privateKey: privateKeyOf(account),
    })),
    publicKeys: { acknowledgementAuthority: localAccounts.acknowledger.address },
  }
}
