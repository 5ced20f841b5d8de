import {
  type Address,
  concat,
  encodeAbiParameters,
  type Hex,
  hashDomain,
  keccak256,
  parseAbiParameters,
  stringToHex,
} from 'viem'

/**
 * Everything that is ever signed, as EIP-712 structs. Flat, so that a wallet can show every field; no spaces in any
 * string, because one wallet turns them into "+". The contract and the vectors in `test/vectors` pin each type.
 * @see EIP-712
 */
export const types = {
  /** Signed by the payer. `amount` in atomic units; `deadline` in unix seconds, inclusive; `orderRef` zero without an order. */
  Payment: [
    { name: 'payer', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
    { name: 'orderRef', type: 'bytes8' },
  ],
  /**
   * Signed by the payer, out of the chained account: this payment, and through `previous` all payments since the account's
   * head. `sequence` is one above that of the payment before; `previous` its link, see `chainedLink`.
   */
  ChainedPayment: [
    { name: 'payer', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'sequence', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
    { name: 'orderRef', type: 'bytes8' },
    { name: 'previous', type: 'bytes16' },
  ],
  /**
   * Signed by the payer in the domain of the pull settler, or bound as the nonce of a ReceiveWithAuthorization: a payment out
   * of the payer's own wallet. Fields as in `Payment`.
   */
  PullPayment: [
    { name: 'payer', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'amount', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
    { name: 'orderRef', type: 'bytes8' },
  ],
  /** Not signed itself: its struct hash is the nonce of the ReceiveWithAuthorization by which a deposit is made. */
  DepositAuthorization: [
    { name: 'payer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'mode', type: 'uint8' },
    { name: 'relayerId', type: 'uint32' },
    { name: 'salt', type: 'bytes32' },
  ],
  /** Signed by the payer in the domain of the token. @see EIP-3009 */
  ReceiveWithAuthorization: [
    { name: 'from', type: 'address' },
    { name: 'to', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'validAfter', type: 'uint256' },
    { name: 'validBefore', type: 'uint256' },
    { name: 'nonce', type: 'bytes32' },
  ],
  /** Signed by the payer in the domain of the token: lets `spender` take `value`. `nonce`: the token's own. @see EIP-2612 */
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
  /** Signed by the payer: burns one intent nonce on chain. Only the bound relayer may send it. */
  Cancel: [
    { name: 'payer', type: 'address' },
    { name: 'token', type: 'address' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
  /** Signed by the payee: agrees that a payment ICE has promised may be cancelled. Checked off chain only. */
  CancelConsent: [{ name: 'paymentDigest', type: 'bytes32' }],
  /**
   * Signed by the payee: this app may see payments to it, and is told of them. `app`: its AppID; `issuedAt` in unix
   * seconds, the latest counts. Checked off chain only.
   */
  PayeeOwnership: [
    { name: 'payee', type: 'address' },
    { name: 'app', type: 'string' },
    { name: 'issuedAt', type: 'uint256' },
  ],
  /** ICE's promise for one accepted payment: a leaf of the tree whose root `AcknowledgementRoot` signs. */
  Acknowledgement: [
    { name: 'paymentDigest', type: 'bytes32' },
    { name: 'orderHash', type: 'bytes32' },
    { name: 'fee', type: 'uint256' },
    { name: 'guarantee', type: 'uint8' },
    { name: 'acceptedAt', type: 'uint256' },
    { name: 'settleBy', type: 'uint256' },
  ],
  /** Signed by the short-lived acknowledgement key, once per group of accepted payments. */
  AcknowledgementRoot: [{ name: 'root', type: 'bytes32' }],
  /** Signed by the relayer's acknowledgement authority (in an HSM or KMS): certifies a short-lived key. */
  AcknowledgementKey: [
    { name: 'relayerId', type: 'uint32' },
    { name: 'key', type: 'address' },
    { name: 'notBefore', type: 'uint256' },
    { name: 'notAfter', type: 'uint256' },
  ],
} as const

/** The EIP-712 domain of one vault. A signature made for one vault or chain is worthless on any other. */
export type Domain = {
  readonly name: 'ICESettlement'
  readonly version: '1'
  readonly chainId: number
  readonly verifyingContract: Address
}

export function domainOf({ chainId, vault }: { chainId: number; vault: Address }): Domain {
  return { name: 'ICESettlement', version: '1', chainId, verifyingContract: vault }
}

export type Payment = {
  readonly payer: Address
  readonly payee: Address
  readonly token: Address
  readonly amount: bigint
  readonly nonce: bigint
  readonly deadline: bigint
  readonly orderRef: Hex
}
export type ChainedPayment = Omit<Payment, 'nonce'> & { readonly sequence: bigint; readonly previous: Hex }
export type PullPayment = Payment
export type DepositAuthorization = Pick<Payment, 'payer' | 'token'> & {
  readonly mode: keyof typeof depositModes
  readonly relayerId: number
  readonly salt: Hex
}
export type ReceiveWithAuthorization = {
  readonly from: Address
  readonly to: Address
  readonly value: bigint
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly nonce: Hex
}
export type Permit = {
  readonly owner: Address
  readonly spender: Address
  readonly value: bigint
  readonly nonce: bigint
  readonly deadline: bigint
}
export type Cancel = Pick<Payment, 'payer' | 'token' | 'nonce' | 'deadline'>
export type PayeeOwnership = { readonly payee: Address; readonly app: string; readonly issuedAt: bigint }
export type AcknowledgementKey = {
  readonly relayerId: number
  readonly key: Address
  readonly notBefore: bigint
  readonly notAfter: bigint
}

/** Which account of a payer and token a deposit is for. */
export const depositModes = { independent: 0, chained: 1 } as const

/** 0: may still fail and be corrected. 1: backed by finalized money in the vault; enforceable on chain after `settleBy`. */
export const guarantees = { optimistic: 0, collateralised: 1 } as const
export type Guarantee = keyof typeof guarantees

export type Acknowledgement = {
  readonly paymentDigest: Hex
  readonly orderHash: Hex
  readonly fee: bigint
  readonly guarantee: Guarantee
  readonly acceptedAt: bigint
  readonly settleBy: bigint
}

export const zeroOrderRef: Hex = '0x0000000000000000'
export const zeroHash: Hex = `0x${'00'.repeat(32)}`

const typeHash = (name: keyof typeof types): Hex => {
  const fields = types[name].map((field) => `${field.type} ${field.name}`).join(',')
  return keccak256(stringToHex(`${name}(${fields})`))
}
const typeHashes = {
  Payment: typeHash('Payment'),
  ChainedPayment: typeHash('ChainedPayment'),
  PullPayment: typeHash('PullPayment'),
  DepositAuthorization: typeHash('DepositAuthorization'),
  ReceiveWithAuthorization: typeHash('ReceiveWithAuthorization'),
  Permit: typeHash('Permit'),
  Cancel: typeHash('Cancel'),
  CancelConsent: typeHash('CancelConsent'),
  PayeeOwnership: typeHash('PayeeOwnership'),
  Acknowledgement: typeHash('Acknowledgement'),
  AcknowledgementRoot: typeHash('AcknowledgementRoot'),
  AcknowledgementKey: typeHash('AcknowledgementKey'),
}

/** Of a settlement contract's domain, or a token's own. */
export function domainSeparator(domain: Omit<Domain, 'name' | 'version'> & Record<'name' | 'version', string>): Hex {
  return hashDomain({
    domain: { ...domain, chainId: BigInt(domain.chainId) },
    types: {
      EIP712Domain: [
        { name: 'name', type: 'string' },
        { name: 'version', type: 'string' },
        { name: 'chainId', type: 'uint256' },
        { name: 'verifyingContract', type: 'address' },
      ],
    },
  })
}

const digest = (separator: Hex, structHash: Hex): Hex => keccak256(concat(['0x1901', separator, structHash]))

/**
 * What is hashed into the struct hash of a Payment, or of a PullPayment, which has the same fields: its type hash and a 32-byte word per field. By hand, because this runs
 * for every payment: an ABI encoder takes ten times as long.
 * @throws RangeError for a number above 2²⁵⁶ − 1
 */
export function encodePayment(p: Payment, type: 'Payment' | 'PullPayment' = 'Payment'): Hex {
  const fields = [p.payer, p.payee, p.token].map(leftPadded).join('')
  const numbers = [p.amount, p.nonce, p.deadline].map(uintWord).join('')
  return `${typeHashes[type]}${fields}${numbers}${p.orderRef.slice(2).padEnd(64, '0')}`
}

const leftPadded = (address: Address): string => address.slice(2).toLowerCase().padStart(64, '0')
function uintWord(value: bigint): string {
  const hex = value.toString(16)
  if (value < 0n || hex.length > 64) throw new RangeError(`${value} is no uint256`)
  return hex.padStart(64, '0')
}

export function paymentDigest(separator: Hex, p: Payment): Hex {
  return digest(separator, keccak256(encodePayment(p)))
}

/** `separator`: of the pull settler's domain. Also the nonce of an authorization, see `pullAuthorization`. */
export function pullPaymentDigest(separator: Hex, p: PullPayment): Hex {
  return digest(separator, keccak256(encodePayment(p, 'PullPayment')))
}

const depositParameters = parseAbiParameters('bytes32, address, address, uint8, uint32, bytes32')
/** The nonce of the ReceiveWithAuthorization by which a deposit is made. */
export function depositNonce(d: DepositAuthorization): Hex {
  return keccak256(
    encodeAbiParameters(depositParameters, [
      typeHashes.DepositAuthorization,
      d.payer,
      d.token,
      depositModes[d.mode],
      d.relayerId,
      d.salt,
    ]),
  )
}

/** What the payer signs for the token, so that the pull settler can take exactly this payment. */
export function pullAuthorization(domain: Domain, p: PullPayment): ReceiveWithAuthorization {
  return {
    from: p.payer,
    to: domain.verifyingContract,
    value: p.amount,
    validAfter: 0n,
    // Exclusive there, inclusive here.
    validBefore: p.deadline + 1n,
    nonce: pullPaymentDigest(domainSeparator(domain), p),
  }
}

const authorizationParameters = parseAbiParameters('bytes32, address, address, uint256, uint256, uint256, bytes32')
/** `separator`: of the token's own domain. */
export function authorizationDigest(separator: Hex, a: ReceiveWithAuthorization): Hex {
  return digest(
    separator,
    keccak256(
      encodeAbiParameters(authorizationParameters, [
        typeHashes.ReceiveWithAuthorization,
        a.from,
        a.to,
        a.value,
        a.validAfter,
        a.validBefore,
        a.nonce,
      ]),
    ),
  )
}

const permitParameters = parseAbiParameters('bytes32, address, address, uint256, uint256, uint256')
/** `separator`: of the token's own domain. */
export function permitDigest(separator: Hex, p: Permit): Hex {
  const words = [typeHashes.Permit, p.owner, p.spender, p.value, p.nonce, p.deadline] as const
  return digest(separator, keccak256(encodeAbiParameters(permitParameters, words)))
}

const chainedParameters = parseAbiParameters(
  'bytes32, address, address, address, uint256, uint256, uint256, bytes8, bytes16',
)
export function chainedPaymentDigest(separator: Hex, p: ChainedPayment): Hex {
  return digest(
    separator,
    keccak256(
      encodeAbiParameters(chainedParameters, [
        typeHashes.ChainedPayment,
        p.payer,
        p.payee,
        p.token,
        p.amount,
        p.sequence,
        p.deadline,
        p.orderRef,
        p.previous,
      ]),
    ),
  )
}

const cancelParameters = parseAbiParameters('bytes32, address, address, uint256, uint256')
export function cancelDigest(separator: Hex, c: Cancel): Hex {
  return digest(
    separator,
    keccak256(encodeAbiParameters(cancelParameters, [typeHashes.Cancel, c.payer, c.token, c.nonce, c.deadline])),
  )
}

const wordParameters = parseAbiParameters('bytes32, bytes32')
export function cancelConsentDigest(separator: Hex, payment: Hex): Hex {
  return digest(separator, keccak256(encodeAbiParameters(wordParameters, [typeHashes.CancelConsent, payment])))
}

const ownershipParameters = parseAbiParameters('bytes32, address, bytes32, uint256')
export function payeeOwnershipDigest(separator: Hex, { payee, app, issuedAt }: PayeeOwnership): Hex {
  const words = [typeHashes.PayeeOwnership, payee, keccak256(stringToHex(app)), issuedAt] as const
  return digest(separator, keccak256(encodeAbiParameters(ownershipParameters, words)))
}

const acknowledgementParameters = parseAbiParameters('bytes32, bytes32, bytes32, uint256, uint8, uint256, uint256')
/** The leaf: the struct hash itself. 224 bytes are hashed, so no leaf can pass for a 64-byte inner node. */
export function acknowledgementLeaf(a: Acknowledgement): Hex {
  return keccak256(
    encodeAbiParameters(acknowledgementParameters, [
      typeHashes.Acknowledgement,
      a.paymentDigest,
      a.orderHash,
      a.fee,
      guarantees[a.guarantee],
      a.acceptedAt,
      a.settleBy,
    ]),
  )
}

export function acknowledgementRootDigest(separator: Hex, root: Hex): Hex {
  return digest(separator, keccak256(encodeAbiParameters(wordParameters, [typeHashes.AcknowledgementRoot, root])))
}

const keyParameters = parseAbiParameters('bytes32, uint32, address, uint256, uint256')
export function acknowledgementKeyDigest(separator: Hex, k: AcknowledgementKey): Hex {
  return digest(
    separator,
    keccak256(
      encodeAbiParameters(keyParameters, [typeHashes.AcknowledgementKey, k.relayerId, k.key, k.notBefore, k.notAfter]),
    ),
  )
}
