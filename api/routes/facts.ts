import { createRoute, type RouteHandler, z } from '@hono/zod-openapi'
import type { ApiEnv } from '../environment.ts'
import type { ApiPorts } from '../ports.ts'
import { example } from '../schemas/example.ts'
import { answer } from '../schemas/fields.ts'

const factsSchema = z
  .object({
    acknowledgementAuthority: answer.address(
      'Certifies the short-lived keys that sign acknowledgements. Trust it because each vault says the same: acknowledgerOf(relayerId)',
      example.payee,
    ),
    webhookKeys: z.array(z.string()).meta({
      description:
        'ed25519 keys that sign webhooks (`v1a`), the newest first. All of them sign: accept a webhook if one signature fits one key',
      example: [example.publicKey],
    }),
    chains: z.array(
      z.object({
        chainId: z.int().meta({ example: example.chainId }),
        name: z.string().meta({ example: 'hardhat' }),
        vault: answer.address('Holds accounts, and verifyingContract of what is signed for them', example.vault),
        pullSettler: answer
          .address(
            'Settles payments out of wallets, and verifyingContract of these; null where there is none',
            example.payee,
          )
          .nullable(),
        relayerId: z.int().meta({ description: 'What a payer names when depositing', example: 1 }),
        tokens: z.array(
          z.object({
            address: answer.address('ERC-20 contract', example.token),
            symbol: z.string().meta({ example: 'USDC' }),
            decimals: z.int().meta({ example: 6 }),
            scale: z.string().meta({ description: 'Amounts are multiples of this many atomic units', example: '1' }),
            amountMin: answer.amount('Smallest payment'),
            amountMax: answer.amount('Largest payment'),
            takesAuthorizations: z.boolean().meta({ description: 'EIP-3009, for mode pull', example: true }),
            takesPermits: z.boolean().meta({ description: 'EIP-2612, for mode pull', example: true }),
          }),
        ),
      }),
    ),
  })
  .meta({ id: 'Facts' })

export const factsRoute = createRoute({
  method: 'get',
  path: '/.well-known/ice.json',
  tags: ['Operations'],
  security: [],
  summary: 'What everybody may know: chains, vaults, tokens, keys',
  responses: { 200: { description: 'The facts', content: { 'application/json': { schema: factsSchema } } } },
})

export function showFacts({
  ports: { config, authority, webhookKeys },
}: {
  ports: ApiPorts
}): RouteHandler<typeof factsRoute, ApiEnv> {
  const chains = config.chains.map(({ chainId, name, vault, pullSettler, relayerId, tokens }) => ({
    ...{ chainId, name, vault, pullSettler: pullSettler ?? null, relayerId },
    tokens: tokens.map(({ address, symbol, decimals, scale, amountMin, amountMax, authorization, permit }) => ({
      ...{
        address,
        symbol,
        decimals,
        takesAuthorizations: authorization !== undefined,
        takesPermits: permit !== undefined,
      },
      ...{ scale: `${scale}`, amountMin: `${amountMin}`, amountMax: `${amountMax}` },
    })),
  }))
  return (c) => c.json({ acknowledgementAuthority: authority, webhookKeys: [...webhookKeys.publicKeys], chains }, 200)
}
