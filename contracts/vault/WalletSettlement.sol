// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountWord} from "../lib/AccountWord.sol";
import {Frame} from "../lib/Frame.sol";
import {Packed} from "../lib/Packed.sol";
import {TypedData} from "../lib/TypedData.sol";
import {WalletSignature} from "../lib/WalletSignature.sol";
import {Payouts} from "./Payouts.sol";

/// @notice The section of a batch in which contracts sign. A record is in it because its relayer put it there, never because
/// of the payer's code: an account with code under EIP-7702 still signs with its key, in the other section.
abstract contract WalletSettlement is Payouts {
    function _settleWallets(
        Packed.Batch memory batch,
        uint256 relayerId,
        uint256 scale,
        bytes memory results
    ) internal {
        mapping(address => AccountWord) storage accounts = _accounts[batch.token];
        uint256 pos = batch.walletsAt;
        for (uint256 i = 0; i < batch.walletCount; i++) {
            (Payment memory payment, uint256 payeeIndex, bytes calldata signature) = _walletPaymentAt(batch, scale, pos);
            pos += Packed.WALLET_BYTES + signature.length;
            AccountWord word = accounts[payment.payer];
            AccountWord next = word.spend(payment.nonce);
            uint256 balance = word.balance();
            if (
                AccountWord.unwrap(next) != 0 &&
                word.relayerId() == relayerId &&
                payment.amount > 0 &&
                payment.amount <= balance &&
                _isInTime(payment.deadline) &&
                WalletSignature.isValid(payment.payer, _hashTypedDataV4(TypedData.hashInMemory(payment)), signature)
            ) {
                accounts[payment.payer] = next.withBalance(uint128(balance - payment.amount));
                Frame.owe(payeeIndex, payment.amount);
                uint256 index = batch.paymentCount + batch.cancelCount + i;
                results[index / 8] |= bytes1(uint8(1 << (index % 8)));
            }
        }
    }

    function _isInTime(uint256 deadline) internal view returns (bool) {
        return deadline >= block.timestamp && deadline - block.timestamp <= DEADLINE_AHEAD_MAX;
    }

    function _walletPaymentAt(
        Packed.Batch memory batch,
        uint256 scale,
        uint256 pos
    ) private pure returns (Payment memory payment, uint256 payeeIndex, bytes calldata signature) {
        (payment.amount, payment.nonce, payment.deadline, payeeIndex) = Packed.walletTermsAt(pos);
        (payment.payer, payment.orderRef) = Packed.walletPayerAt(pos);
        payment.amount *= scale;
        payment.deadline += batch.baseDeadline;
        payment.token = batch.token;
        (payment.payee, ) = Frame.payeeAt(payeeIndex);
        signature = Packed.walletSignatureAt(pos);
    }
}
