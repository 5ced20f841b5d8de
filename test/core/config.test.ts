import { describe, expect, test } from 'vitest'
import {
  type ChainConfig,
  configSchema,
  contractKey,
  contractsOf,
  findToken,
  homeOf,
  isPullSettler,
  modesOf,
} from '../../core/config.ts'
import { domainOf, domainSeparator, zeroHash } from '../../core/protocol/typed-data.ts'
import { askedOf, disagreements } from '../../core/vault-facts.ts'
import { addressOf, chain, chainJson, dollar, vault } from './payments.ts'

const parse = (changes: object = {}) => configSchema.safeParse({ chains: [{ ...chainJson, ...changes }] })

describe('the configuration', () => {
  test('needs nothing but the facts of a chain; all else has a default', () => {
    expect(chain).toMatchObject({
      startBlock: 0n,
      reorgDepthMax: 128,
      batch: { paymentCountMax: 500, bytesMax: 120_000, gasMax: 14_000_000n, ageMillisMax: 1_000 },
      lane: { inFlightMax: 4, replaceAfterMillis: 30_000, resendAfterMillis: 10_000 },
      promise: { settleWithinSeconds: 600, reorgMarginSeconds: 300, headAgeSecondsMax: 60, prepareSeconds: 14_400 },
    })
  })

  test('keeps the other defaults when one value of a group is given', () => {
    const parsed = parse({ batch: { ageMillisMax: 50 } })
    expect(parsed.data?.chains[0]?.batch).toMatchObject({ ageMillisMax: 50, paymentCountMax: 500 })
  })

  test.each([
    ['an unknown field', { vualt: vault }],
    ['an amount that is a number', { tokens: [{ ...chainJson.tokens[0], amountMax: 1_000_000 }] }],
    ['an amount with an exponent', { tokens: [{ ...chainJson.tokens[0], amountMax: '1e6' }] }],
    ['an address with a wrong checksum', { vault: '0x70997970c51812dc3A010C7d01b50e0d17dc79C8' }],
    ['a finality depth below zero', { finality: { rule: 'depth', depth: -1 } }],
    ['a depth where the tag decides', { finality: { rule: 'tag', depth: 2 } }],
    ['no token', { tokens: [] }],
    ['relayer 0', { relayerId: 0 }],
  ])('refuses %s', (_, changes) => {
    expect(parse(changes).success).toBe(false)
  })

  test('refuses a promise that a withdrawal could outrun, to the second', () => {
    const longest = 24 * 3600 - 2 * 3600 - 300 - 3600
    expect(parse({ promise: { settleWithinSeconds: longest - 1 } }).success).toBe(true)
    expect(parse({ promise: { settleWithinSeconds: longest } }).success).toBe(false)
  })

  test('refuses a chain twice', () => {
    expect(configSchema.safeParse({ chains: [chainJson, chainJson] }).success).toBe(false)
    expect(configSchema.safeParse({ chains: [chainJson, { ...chainJson, chainId: 1 }] }).success).toBe(true)
  })

  test.each([
    ['a scale of 0', { scale: '0' }],
    ['a scale that is no power of ten', { scale: '3' }],
    ['a smallest amount above the largest', { amountMin: '2', amountMax: '1' }],
  ])('a token with %s is refused', (_, changes) => {
    expect(
      configSchema.safeParse({ chains: [{ ...chainJson, tokens: [{ ...chainJson.tokens[0], ...changes }] }] }).success,
    ).toBe(false)
  })

  test.each([
    ['the same token twice', { tokens: [chainJson.tokens[0], chainJson.tokens[0]] }],
    ['a proposed deadline the vault refuses', { promise: { prepareSeconds: 43_201 } }],
    ['a proposed deadline that accept refuses', { promise: { prepareSeconds: 60 } }],
    ['more payments than a batch can count', { batch: { paymentCountMax: 65_536 } }],
    ['batches too small for one record', { batch: { bytesMax: 1 } }],
    ['a relayer id beyond 32 bits', { relayerId: 2 ** 32 }],
  ])('%s is refused', (_, changes) => {
    expect(configSchema.safeParse({ chains: [{ ...chainJson, ...changes }] }).success).toBe(false)
  })

  test('finds a token by its address', () => {
    expect(findToken(chain, dollar)?.symbol).toBe('USD')
    expect(findToken(chain, vault)).toBeUndefined()
  })
})

describe('the contracts of a chain', () => {
  const pullSettler = addressOf(0x95)
  const settling = parse({ pullSettler }).data?.chains[0] as ChainConfig

  test('are the vault, and the pull settler if there is one, each with the same chain around it', () => {
    expect(contractsOf(chain)).toEqual([chain])
    const [first, second, ...others] = contractsOf(settling)
    expect(first).toEqual(settling)
    expect(second).toEqual({ ...settling, vault: pullSettler, home: vault })
    expect(others).toEqual([])
  })

  test('are followed from where each began', () => {
    const startsOf = (changes: object) => contractsOf({ ...settling, ...changes }).map(({ startBlock }) => startBlock)
    expect(startsOf({ startBlock: 7n })).toEqual([7n, 7n])
    expect(startsOf({ startBlock: 7n, pullStartBlock: 90n })).toEqual([7n, 90n])
  })

  test('settle in modes of their own, and both have one home', () => {
    const told = contractsOf(settling).map((each) => [modesOf(each), homeOf(each), isPullSettler(each)])
    expect(told).toEqual([
      [['independent', 'chained'], vault, false],
      [['pull'], vault, true],
    ])
    expect([modesOf(chain), homeOf(chain), isPullSettler(chain)]).toEqual([['independent', 'chained'], vault, false])
  })

  test('have names that no other contract of any chain has', () => {
    const keys = [...contractsOf(settling), ...contractsOf({ ...settling, chainId: 1 })].map(contractKey)
    expect(new Set(keys).size).toBe(4)
  })

  test('are two: a pull settler that is the vault is refused', () => {
    expect(parse({ pullSettler: vault }).success).toBe(false)
    expect(parse({ pullSettler: 'none' }).success).toBe(false)
  })

  test('of a token that takes authorizations, the EIP-712 domain is whole', () => {
    const withToken = (authorization: object) => parse({ tokens: [{ ...chainJson.tokens[0], authorization }] }).success
    expect(withToken({ name: 'USD Coin', version: '2' })).toBe(true)
    expect([withToken({ name: 'USD Coin' }), withToken({ name: '', version: '2' })]).toEqual([false, false])
  })
})

describe('configuration and chain', () => {
  const facts = {
    home: vault,
    chainId: chain.chainId,
    domainSeparator: domainSeparator(domainOf(chain)),
    pauseSecondsMax: 7_200n,
    withdrawDelaySeconds: 86_400n,
    deadlineAheadSecondsMax: 43_200n,
    scales: chain.tokens.map(({ scale }): bigint => scale),
    relayerIds: [chain.relayerId],
    acknowledger: addressOf(0xac),
    tokenSeparators: [],
  }
  const actors = { senders: [addressOf(0x1a)], authority: addressOf(0xac) }

  test('agree on the constants that promises lean on', () => {
    expect(disagreements(chain, facts, actors)).toEqual([])
  })

  test('agree on the vault behind a pull settler, which has a domain of its own', () => {
    const settler = { ...chain, vault: addressOf(0x95), pullSettler: addressOf(0x95), home: vault }
    const own = { ...facts, domainSeparator: domainSeparator(domainOf(settler)) }
    expect(disagreements(settler, own, actors)).toEqual([])
    expect(disagreements(settler, { ...own, home: addressOf(0x95) }, actors)).toEqual([
      `test: the vault of the settlement contract is ${addressOf(0x95)} on chain, the configuration means ${vault}`,
    ])
    expect(disagreements(settler, facts, actors)).toHaveLength(1)
  })

  test('agree on the domains in which tokens take authorizations and permits', () => {
    const domain = { name: 'USD Coin', version: '2' }
    const [first] = chain.tokens
    if (first === undefined) throw new Error('no token')
    const tokens = [{ ...first, authorization: domain, permit: domain }]
    const settler = { ...chain, tokens, vault: addressOf(0x95), pullSettler: addressOf(0x95), home: vault }
    expect(askedOf(settler).authorizing).toEqual([first.address, first.address])
    expect(askedOf({ ...chain, tokens }).authorizing).toEqual([])
    const separator = domainSeparator({ ...domain, chainId: chain.chainId, verifyingContract: first.address })
    const own = { ...facts, scales: [first.scale], domainSeparator: domainSeparator(domainOf(settler)) }
    expect(disagreements(settler, { ...own, tokenSeparators: [separator, separator] }, actors)).toEqual([])
    expect(disagreements(settler, { ...own, tokenSeparators: [separator, zeroHash] }, actors)).toEqual([
      `test: the domain of USD Coin is ${zeroHash} on chain, the configuration means ${separator}`,
    ])
  })

  test.each([
    ['chain id', { chainId: 1 }],
    ['vault of the settlement contract', { home: addressOf(0xfb) }],
    ['domain separator', { domainSeparator: domainSeparator(domainOf({ ...chain, vault: addressOf(0xfb) })) }],
    ['longest pause', { pauseSecondsMax: 7_201n }],
    ['withdraw delay', { withdrawDelaySeconds: 86_399n }],
    ['furthest deadline', { deadlineAheadSecondsMax: 43_199n }],
    ['scale of USD', { scales: facts.scales.with(0, 0n) }],
    ['relayer id of lane', { relayerIds: [0] }],
    ['acknowledgement authority', { acknowledger: addressOf(0xad) }],
  ])('a different %s is one sentence', (name, changes) => {
    const sentences = disagreements(chain, { ...facts, ...changes }, actors)
    expect(sentences).toHaveLength(1)
    expect(sentences[0]).toContain(name)
  })
})
