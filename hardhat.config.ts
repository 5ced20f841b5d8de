import { createRequire } from 'node:module'
import { defineConfig } from 'hardhat/config'

process.env.HARDHAT_DISABLE_TELEMETRY = 'true'

export default defineConfig({
  paths: {
    sources: 'contracts',
    tests: { solidity: 'test/contracts' },
  },
  solidity: {
    version: '0.8.37',
    // The compiler comes from npm, so that a build downloads nothing.
    path: createRequire(import.meta.url).resolve('solc/soljson.js'),
    settings: {
      evmVersion: 'osaka',
      viaIR: true,
      // Measured: 2,000 saves some 50 gas per payment and makes the vault 2.7 kB larger, which is more than a contract may be.
      optimizer: { enabled: true, runs: 600 },
    },
  },
  test: {
    solidity: {
      profiles: {
        default: {},
        // npm run fuzz
        deep: { fuzz: { runs: 10_000 } },
        // npm run mutate:contracts. With so little gas a loop without end ends within seconds.
        mutation: { fuzz: { runs: 64 }, gasLimit: 2_000_000_000n },
      },
    },
  },
  networks: {
    default: { type: 'edr-simulated', chainType: 'l1', hardfork: 'osaka' },
  },
})
