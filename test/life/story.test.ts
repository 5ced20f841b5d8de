import { expect, test } from 'vitest'
import { freePort } from '../../scripts/embedded/port.ts'
import { run } from './local.ts'

test.each(['hardhat', 'anvil'])('the story on %s ends with exit code 0 and 71 final payments', async (chain) => {
  const { code, text } = await run(['--once', '--chain', chain, '--port', `${await freePort()}`]).ended
  expect(text).toContain('71 payments are final')
  expect(text).toMatch(/10 chained payments in block \d+: [\d,]+ gas per payment/)
  expect(text).toMatch(/3 pull payments in block \d+: [\d,]+ gas per payment/)
  expect(text).toMatch(/\d+ webhooks to the merchant, .* each ed25519 signature and addressee checked/)
  expect(text).toContain('read back from IPFS and Arweave, byte-equal')
  expect(text).toContain('1 refused: signature_mismatch')
  expect(text).toContain('1 refused: insufficient_balance')
  expect({ code, text }).toMatchObject({ code: 0 })
})
