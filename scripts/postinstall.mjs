// Runs on whatever Node the machine has, so it is plain JavaScript without dependencies.
//
// npm skips optional packages whose `engines` the running Node does not meet. Hardhat's EVM is such a package (it
// wants Node 22), while our scripts run on the Node 24 that this very install brings. A second pass under that Node
// installs what was skipped.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const scope = join('node_modules', '@nomicfoundation')
const prefix = `edr-${process.platform}-${process.arch}`
const installed = existsSync(scope) && readdirSync(scope).some((name) => name.startsWith(prefix))

if (!installed && existsSync(join('node_modules', 'hardhat'))) {
  const { status } = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'], {
    stdio: 'inherit',
    env: { ...process.env, PATH: join(process.cwd(), 'node_modules', '.bin') + delimiter + process.env.PATH },
  })
  if (status !== 0) process.exit(status ?? 1)
}
