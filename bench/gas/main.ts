// `node bench/gas/main.ts`: gas per payment of the vault and of what others do, on one chain in this process.
// `--json` prints JSON lines instead of the table; `--accept` writes the vault's figures to the snapshot of the tests.
import { parseArgs } from 'node:util'
import hre from 'hardhat'
import { measureBaselines } from './baselines.ts'
import { table } from './figures.ts'
import { measureOurs } from './ours.ts'
import { acceptSnapshot, changesBetween, readSnapshot, tell } from './snapshot.ts'
import { openStage } from './stage.ts'

const notes = `
Receipt gas through payments, in steady state: slots are not zero. Bytes and FastLZ bytes are of the calldata.
The token has EIP-3009 on OpenZeppelin's ERC-20. It is not Circle's proxy token, with which every transfer costs more:
the baselines once per payment, the vault once per payee and batch.
vault-approve, -deposit and -withdraw are costs of the vault, in gas per call; vault-cancel is per record.
docs/gas.md says what each row includes.`

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, accept: { type: 'boolean', default: false } },
})

// An old build would give old figures.
await hre.tasks.getTask('build').run({ quiet: true })
const stage = await openStage()
const ours = await measureOurs(stage)
const figures = [...ours, ...(await measureBaselines(stage))]
await stage.chain.close()

if (flags.json) for (const figure of figures) console.log(JSON.stringify(figure))
else console.log(`${table(figures)}\n${notes}`)

const changes = changesBetween(await readSnapshot(), ours)
if (flags.accept) await acceptSnapshot(ours)
// On stderr, so that the lines of `--json` stay alone on stdout.
for (const change of changes) console.error(flags.accept ? `Accepted: ${tell(change)}` : tell(change))
