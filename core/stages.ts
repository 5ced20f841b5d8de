/** The stages of the relayer's pipeline, in the order in which a payment passes them. @see relayer/pipeline.ts */
export const stages = [
  'batch',
  'submit',
  'confirm',
  'finalize',
  'record',
  'archive-ipfs',
  'archive-arweave',
  'reconcile',
] as const
export type StageName = (typeof stages)[number]
