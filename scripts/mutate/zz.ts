import { createHardhatRuntimeEnvironment } from 'hardhat/hre'
import { compile } from './compiler.ts'
import { openStage } from './stage.ts'

const files = process.argv.slice(2)
const t = Date.now()
const stage = await openStage()
const c = compile([...files, 'contracts/Vault.sol', 'contracts/PullSettler.sol'])
console.log('compiled', Date.now() - t)
await stage.put(c)
for (const f of files) {
  const t = Date.now()
  console.log(f, await stage.passes(f), Date.now() - t)
}
await stage.close()
