import type { Mutant } from './mutant.ts'
import { readSource } from './sources.ts'

type Removal = readonly [file: string, before: string, after: string]

/**
 * Ten ways to lose money that attacks on earlier designs found, each with what guards against it here taken out. They run
 * first, in every run, and each must be killed. docs/threat-model.md tells of them.
 */
const removals: Readonly<Record<string, readonly Removal[]>> = {
  'payer-not-signed': [
    [
      'contracts/lib/TypedData.sol',
      'function hashInMemory(IVault.Payment memory payment) internal pure returns (bytes32) {\n        return keccak256(abi.encode(PAYMENT, payment));',
      'function hashInMemory(IVault.Payment memory p) internal pure returns (bytes32) {\n        return keccak256(abi.encode(PAYMENT, address(0), p.payee, p.token, p.amount, p.nonce, p.deadline, p.orderRef));',
    ],
    [
      'contracts/lib/PaymentLoop.sol',
      'eq(mload(RECOVER), mload(add(STRUCT, 0x20)))',
      'lt(mload(RECOVER), shl(160, 1))',
    ],
  ],
  'gas-burning-token': [
    ['contracts/lib/Payout.sol', 'call(GAS, token', 'call(gas(), token'],
    ['contracts/lib/Payout.sol', 'if (gasleft() < GAS_NEEDED)', 'if (false)'],
    ['contracts/lib/Payout.sol', 'if paid {', 'returndatacopy(free, 0, returndatasize())\n            if paid {'],
    ['contracts/lib/Pull.sol', 'call(GAS, token', 'call(gas(), token'],
    ['contracts/lib/Pull.sol', 'if (gasleft() < GAS_NEEDED)', 'if (false)'],
    [
      'contracts/lib/Pull.sol',
      'mstore(0x40, data)',
      'returndatacopy(add(data, 0x400), 0, returndatasize())\n            mstore(0x40, data)',
    ],
  ],
  'high-s': [
    ['contracts/lib/PaymentLoop.sol', 'lt(s, sEnd)', '1'],
    ['contracts/lib/ChainedLoop.sol', 'lt(s, sEnd)', '1'],
    ['contracts/lib/Signature.sol', 'iszero(gt(s, S_MAX))', '1'],
  ],
  'nonce-jump': [
    ['contracts/lib/PaymentLoop.sol', 'lt(leap, 65)', '1'],
    ['contracts/lib/AccountWord.sol', 'lt(leap, 65)', '1'],
  ],
  'two-relayers': [
    ['contracts/lib/PaymentLoop.sol', 'eq(shr(224, account), mload(RELAYER_ID))', '1'],
    ['contracts/lib/ChainedLoop.sol', 'xor(and(shr(88, account), 0xffff), mload(RELAYER_ID))', '0'],
    ['contracts/vault/Settlement.sol', 'word.relayerId() == relayerId', 'true'],
    ['contracts/vault/WalletSettlement.sol', 'word.relayerId() == relayerId', 'true'],
    ['contracts/vault/OverdueSettlement.sol', 'word.relayerId() != key.relayerId', 'false'],
  ],
  'one-bad-record': [
    ['contracts/lib/PaymentLoop.sol', ') { continue }', ') { revert(0, 0) }'],
    ['contracts/lib/ChainedLoop.sol', 'if iszero(asked) {', 'if 1 {'],
    ['contracts/PullSettler.sol', '!_isInTime(payment.deadline)) continue;', '!_isInTime(payment.deadline)) revert();'],
  ],
  'contract-wallets': [
    ['contracts/lib/WalletSignature.sol', 'staticcall(GAS, wallet', 'staticcall(gas(), wallet'],
    ['contracts/lib/WalletSignature.sol', 'if (gasleft() < GAS_NEEDED)', 'if (false)'],
    ['contracts/lib/Packed.sol', 'batch.walletCount > WALLETS_MAX', 'false'],
    [
      'contracts/lib/PaymentLoop.sol',
      'let slot := keccak256(0x00, 0x40)',
      'if extcodesize(mload(0x00)) { continue }\n                    let slot := keccak256(0x00, 0x40)',
    ],
  ],
  'token-that-lies': [
    ['contracts/vault/Balances.sol', 'if (received != amount)', 'if (false)'],
    ['contracts/vault/Balances.sol', 'if (!tokenConfig[token].listed)', 'if (false)'],
    ['contracts/vault/Roles.sol', 'token.code.length == 0', 'false'],
    ['contracts/lib/Payout.sol', 'if (token.code.length == 0) return false;', ''],
    ['contracts/PullSettler.sol', 'if (received != run.sum)', 'if (false)'],
    ['contracts/PullSettler.sol', 'if (received != payment.amount)', 'if (false)'],
    ['contracts/PullSettler.sol', 'batch.token.code.length == 0', 'false'],
  ],
  'permit-sent-by-another': [
    [
      'contracts/vault/AuthorizedDeposits.sol',
      'try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}',
      'IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s);',
    ],
    ['contracts/vault/AuthorizedDeposits.sol', 'if (allowance < amount)', 'if (false)'],
  ],
  'blob-not-checked': [
    ['contracts/lib/Packed.sol', 'if (blob.length != end - start)', 'if (false)'],
    ['contracts/lib/Packed.sol', 'if (blob.length < HEADER_BYTES)', 'if (false)'],
    ['contracts/lib/PackedChained.sol', 'if (blob.length != end - start)', 'if (false)'],
    ['contracts/lib/PackedPull.sol', 'if (blob.length != end - start)', 'if (false)'],
    ['contracts/lib/PaymentLoop.sol', 'if iszero(lt(payee, mload(PAYEES_LENGTH)))', 'if 0'],
    ['contracts/lib/ChainedLoop.sol', 'if iszero(lt(payee, mload(PAYEES_LENGTH)))', 'if 0'],
    ['contracts/PullSettler.sol', 'if (payeeIndex >= batch.payeeCount)', 'if (false)'],
    ['contracts/lib/Packed.sol', 'if (payeeIndex >= batch.payeeCount)', 'if (false)'],
  ],
}

/** @throws if the contracts no longer hold what a removal takes out */
export function findingMutants(): readonly Mutant[] {
  return Object.entries(removals).flatMap(([finding, listed]) =>
    listed.map(([file, before, after]): Mutant => {
      const source = Buffer.from(readSource(file))
      const start = source.indexOf(before)
      if (start < 0) throw new Error(`${file} no longer holds "${before}", which guards against ${finding}.`)
      const [first = ''] = before.split('\n')
      return {
        id: `${file} | ${finding}: ⟦${first} → ${after.replaceAll(/\s+/g, ' ')}⟧`,
        file,
        line: source.subarray(0, start).toString().split('\n').length,
        kind: 'finding',
        start,
        end: start + Buffer.byteLength(before),
        after,
      }
    }),
  )
}
