/** Values that the examples of the OpenAPI document share, so that they read as one story. Keys of a public test mnemonic. */
export const example = {
  chainId: 31337,
  vault: '0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512',
  token: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
  payer: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  payee: '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
  amount: '12500000',
  nonce: '7',
  deadline: '1790000000',
  orderRef: '0x8f3a5c1e9b07d264',
  intentId: 'pi_01k9v3m0yqe9n8z6w2t4r5x7ac',
  orderId: 'po_01k9v3kzs4fbgvq1m7h0c2d9ea',
  batchId: 'sb_01k9v3m2c7f60a4nx8p5j3k1hd',
  attemptId: 'at_01k9v3m2t1e2s9m4q0w7z5c8bf',
  hash: `0x${'5d'.repeat(32)}`,
  signature: `0x${'1b'.repeat(64)}1c`,
  time: '2026-11-23T09:30:00.000Z',
} as const
