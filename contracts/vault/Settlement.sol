// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountWord} from "../lib/AccountWord.sol";
import {Frame} from "../lib/Frame.sol";
import {Packed} from "../lib/Packed.sol";
import {PaymentLoop} from "../lib/PaymentLoop.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {WalletSettlement} from "./WalletSettlement.sol";

/// @notice `settle`: independent payments, cancels and payments of contract wallets, packed.
abstract contract Settlement is WalletSettlement {
    function settle(bytes calldata blob) external nonReentrant whenRunning returns (bytes memory results) {
        uint32 relayerId = relayerIdOf[msg.sender];
        if (relayerId == 0) revert NotRelayer(msg.sender);
        Packed.Batch memory batch = Packed.open(blob);
        uint256 scale = tokenConfig[batch.token].scale;
        if (scale == 0) revert TokenUnknown(batch.token);
        Frame.open(
            _domainSeparatorV4(),
            relayerId,
            scale,
            batch.baseDeadline,
            batch.payeesAt,
            batch.payeeCount
        );
        results = new bytes((batch.paymentCount + batch.cancelCount + batch.walletCount + 7) / 8);

        _checkPayees(batch.token, batch.payeeCount);
        PaymentLoop.settle(_accounts[batch.token], batch, results);
        if (batch.cancelCount > 0) _settleCancels(batch, relayerId, results);
        if (batch.walletCount > 0) _settleWallets(batch, relayerId, scale, results);
        emit BatchSettled(batch.anchor, batch.token, relayerId, batch.paymentCount, batch.cancelCount, results);
        _payOut(batch.token, batch.payeeCount, 1);
    }

    function _settleCancels(Packed.Batch memory batch, uint256 relayerId, bytes memory results) private {
        mapping(address => AccountWord) storage accounts = _accounts[batch.token];
        uint256 pos = batch.cancelsAt;
        for (uint256 i = 0; i < batch.cancelCount; i++) {
            (uint256 nonce, uint256 deadline, address payer) = Packed.cancelTermsAt(pos);
            deadline += batch.baseDeadline;
            AccountWord word = accounts[payer];
            AccountWord next = word.spend(nonce);
            if (AccountWord.unwrap(next) != 0 && word.relayerId() == relayerId && _isInTime(deadline)) {
                bytes32 structHash = keccak256(abi.encode(TypedData.CANCEL, payer, batch.token, nonce, deadline));
                if (_isSigner(payer, _hashTypedDataV4(structHash), pos)) {
                    accounts[payer] = next;
                    uint256 index = batch.paymentCount + i;
                    results[index / 8] |= bytes1(uint8(1 << (index % 8)));
                }
            }
            pos += Packed.CANCEL_BYTES;
        }
    }

    /// @param pos Of a record, which begins with its signature
    function _isSigner(address expected, bytes32 digest, uint256 pos) private view returns (bool) {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        address recovered = Signature.recover(digest, r, vs);
        return recovered == expected && recovered != address(0);
    }
}
