/**
 * The dependency rule: imports point inward. Type imports count, since they bind as much as values do.
 * Run by test/tidy.test.ts.
 */
const ours = '^(adapters|api|bench|contracts|core|relayer|scripts|sdk|test)/'

/** No file matched by `from` may import one of our files, unless `except` allows it. */
const only = (name, from, except, comment, fromExcept) => ({
  name,
  comment,
  severity: 'error',
  from: fromExcept ? { path: from, pathNot: fromExcept } : { path: from },
  to: { path: ours, pathNot: except },
})

module.exports = {
  forbidden: [
    only('core-imports-nothing', '^core/', '^core/', 'core imports nothing of ours.'),
    only(
      'protocol-stands-alone',
      '^core/protocol/',
      '^core/protocol/',
      'core/protocol is shared with wallets and merchants.',
    ),
    only('adapters-import-core', '^adapters/', '^(core|adapters)/', 'adapters import only core.'),
    only(
      'api-imports-core',
      '^api/',
      '^(core|api)/',
      'api imports only core; api/main.ts also wires adapters.',
      '^api/main\\.ts$',
    ),
    only(
      'api-main-wires',
      '^api/main\\.ts$',
      '^(core|adapters|api)/',
      'api/main.ts wires adapters, never the relayer.',
    ),
    only(
      'relayer-imports-core',
      '^relayer/',
      '^(core|relayer)/',
      'relayer imports only core; relayer/main.ts also wires adapters.',
      '^relayer/main\\.ts$',
    ),
    only(
      'relayer-main-wires',
      '^relayer/main\\.ts$',
      '^(core|adapters|relayer)/',
      'relayer/main.ts wires adapters, never the API.',
    ),
    only(
      'sdk-imports-the-protocol',
      '^sdk/',
      '^(core/protocol|sdk)/',
      'sdk is published alone: it takes core/protocol along, and nothing else of ours.',
    ),
    {
      name: 'sdk-without-node',
      comment: 'The SDK runs in browsers: nothing of Node.',
      severity: 'error',
      from: { path: '^sdk/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'vendors-stay-apart',
      comment: 'An adapter of one vendor does not lean on another vendor: core/ports is where they meet.',
      severity: 'error',
      from: { path: '^adapters/([^/]+)/' },
      to: { path: '^adapters/', pathNot: '^adapters/$1/' },
    },
    {
      name: 'contracts-import-no-code',
      comment: 'contracts hold Solidity only.',
      severity: 'error',
      from: { path: '^contracts/' },
      to: {},
    },
    {
      name: 'core-without-io',
      comment: 'core is pure: no files, sockets, processes, randomness.',
      severity: 'error',
      from: { path: '^core/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-cycles',
      comment: 'A cycle has no reading order.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-barrels',
      comment: 'A barrel hides where things live.',
      severity: 'error',
      from: {},
      to: { path: `${ours}.*(^|/)index\\.(ts|mjs|js|cjs)$` },
    },
    {
      name: 'no-orphans',
      comment: 'A file that nobody imports and that imports nobody is not reached from any entry.',
      severity: 'error',
      from: { orphan: true, pathNot: '^(scripts/[^/]+|test/.+)\\.(ts|mjs)$|^scripts/embedded/keep\\.ts$' },
      to: {},
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere. What test/peers needs is installed there, and only for its tests.',
      severity: 'error',
      from: { pathNot: '^test/peers/ipfs-node\\.mjs$' },
      to: { couldNotResolve: true },
    },
    {
      name: 'production-without-dev-dependencies',
      comment: 'What runs in production is listed under dependencies.',
      severity: 'error',
      from: { path: '^(adapters|api|core|relayer|sdk)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(test/peers/node_modules|sdk/dist)/' },
    tsPreCompilationDeps: true,
    parser: 'swc',
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
}
