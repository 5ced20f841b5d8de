import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import { availableFloor } from '../../core/account.ts'
import { findToken } from '../../core/config.ts'
import { refusal } from '../../core/errors.ts'
import { modes } from '../../core/protocol/taking.ts'
import { type KnownChains, refuseChain } from '../chains.ts'
import type { ApiEnv } from '../environment.ts'
import type { Introduction } from '../introduce.ts'
import { errorOf } from '../middleware/problem.ts'
import { example } from '../schemas/example.ts'
import { answer, chainIdTextSchema, field } from '../schemas/fields.ts'
import { problems } from '../schemas/problem.ts'

const accountViewSchema = z
  .object({
    payer: answer.address('Whose account', example.payer),
    chainId: z.int().meta({ example: example.chainId }),
    token: answer.address('ERC-20 contract', example.token),
    mode: z.enum(modes).meta({ description: 'Which of the payer’s accounts', example: 'independent' }),
    balance: answer.amount('In the vault, or in the wallet for mode pull, at the final block'),
    allowance: answer.amount('What the pull settler may take of it; null for an account in the vault').nullable(),
    withdrawing: answer.amount('Of it asked back by its owner'),
    reserved: answer.amount('Promised to open payments, of all apps together: balance − withdrawing − available'),
    available: answer.amount('What a new payment may draw on'),
    relayerId: z.int().meta({ description: 'Relayer it is bound to; 0 for none', example: 1 }),
    isBound: z.boolean().meta({ description: 'Whether this relayer may settle from it' }),
    topNonce: z.string().meta({ description: 'Highest intent nonce, or sequence, spent on chain', example: '6' }),
    asOfBlock: z.string().meta({ description: 'Final block the balance was read at', example: '1280' }),
  })
  .meta({ id: 'AccountView' })

export const readAccountRoute = createRoute({
  method: 'get',
  path: '/v1/accounts/{payer}',
  tags: ['Accounts'],
  summary: 'Read what a payer has and what is promised',
  description:
    'Any app may ask about any payer: balances are public on chain, and what is free must be known before a payer signs. That tells the sum of open payments, and nothing of which they are, how many, or whose. Reading stores nothing.',
  request: {
    params: z.object({ payer: field.payer }),
    query: z.strictObject({
      chainId: chainIdTextSchema,
      token: field.token,
      mode: z
        .enum(modes)
        .default('independent')
        .meta({ description: 'Which of the payer’s accounts; pull: the wallet' }),
    }),
  },
  responses: {
    200: { description: 'The account', content: { 'application/json': { schema: accountViewSchema } } },
    ...problems(
      'get',
      'invalid_request',
      'address_checksum_invalid',
      'wrong_chain',
      'wrong_contract',
      'token_unknown',
      'chain_unavailable',
    ),
  },
})

export function readAccount({
  chains,
  introduction,
}: {
  chains: KnownChains
  introduction: Introduction
}): RouteHandler<typeof readAccountRoute, ApiEnv> {
  return async (c) => {
    const { payer } = c.req.valid('param')
    const { chainId, token, mode } = c.req.valid('query')
    if (chains.find(chainId) === undefined) throw errorOf(refuseChain(chainId, chains))
    const known = chains.of(chainId, mode)
    if (known === undefined) {
      const detail = `chain ${chainId} has no contract that settles in mode ${mode}`
      throw errorOf(refusal('wrong_contract', detail, { chainId, mode }))
    }
    if (findToken(known.config, token) === undefined) {
      throw errorOf(refusal('token_unknown', `${token} is not settled on chain ${chainId}`, { token }))
    }
    const record = await introduction.read(known, { token, mode }, payer)
    if ('outcome' in record) throw errorOf(record)
    const { state, reserved, asOfBlock } = record
    return c.json(
      {
        payer,
        chainId,
        token,
        mode,
        balance: `${state.balance}`,
        allowance: state.allowance === undefined ? null : `${state.allowance}`,
        withdrawing: `${state.withdrawAmount}`,
        reserved: `${reserved}`,
        available: `${availableFloor(state, reserved)}`,
        relayerId: state.relayerId,
        isBound: state.relayerId === known.config.relayerId && !state.isRebinding,
        topNonce: `${state.topNonce}`,
        asOfBlock: `${asOfBlock}`,
      },
      200,
    )
  }
}
