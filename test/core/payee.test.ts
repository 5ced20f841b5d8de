import { expect, test } from 'vitest'
import { contractsOf } from '../../core/config.ts'
import { screen } from '../../core/screen.ts'
import { addressOf, chain, now, payment } from './payments.ts'

const pullSettler = addressOf(0x95)
const [vault, settler] = contractsOf({ ...chain, pullSettler })
const takings = { vault: { mode: 'independent' }, settler: { mode: 'pull', means: 'allowance' } } as const

test.each(['vault', 'settler'] as const)('a payment of the %s goes to no settlement contract', (which) => {
  const contract = which === 'vault' ? vault : settler
  if (contract === undefined) throw new Error('no such contract')
  const codeOf = (payee: typeof pullSettler) => {
    const of = { chain: contract, contract: contract.vault, taking: takings[which], nowSeconds: now }
    const outcome = screen({ ...of, payment: { ...payment, payee } })
    return outcome.outcome === 'refused' ? outcome.code : 'ok'
  }
  expect([pullSettler, chain.vault].map(codeOf)).toEqual(['payee_invalid', 'payee_invalid'])
  expect(codeOf(payment.payee)).toBe('ok')
})
