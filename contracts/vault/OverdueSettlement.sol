// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {AccountWord, NONCE_MAX} from "../lib/AccountWord.sol";
import {Signature} from "../lib/Signature.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Payouts} from "./Payouts.sol";

/// @notice How anyone makes the vault keep a promise that the relayer did not.
abstract contract OverdueSettlement is Payouts {
    uint8 private constant COLLATERALISED = 1;

    function settleOverdue(
        Payment calldata payment,
        bytes calldata signature,
        Acknowledgement calldata ack,
        bytes32[] calldata proof,
        bytes calldata rootSignature,
        AcknowledgementKey calldata key,
        bytes calldata keySignature
    ) external nonReentrant whenRunning {
        bytes32 digest = paymentDigest(payment);
        AccountWord word = _accounts[payment.token][payment.payer];
        {
            if (ack.guarantee != COLLATERALISED) revert NotCollateralised(ack.guarantee, COLLATERALISED);
            if (block.timestamp <= ack.settleBy) revert NotOverdue(block.timestamp, ack.settleBy);
            if (ack.paymentDigest != digest) revert DigestMismatch(ack.paymentDigest, digest);
            if (word.relayerId() != key.relayerId) revert RelayerMismatch(word.relayerId(), key.relayerId);
            if (ack.acceptedAt < key.notBefore || ack.acceptedAt > key.notAfter) {
                revert KeyOutOfPeriod(ack.acceptedAt, key.notBefore, key.notAfter);
            }
            // Nothing but the key says when it accepted. Its payment's own time bounds what a key may still do after its end.
            if (payment.deadline > ack.acceptedAt + DEADLINE_AHEAD_MAX) {
                revert DeadlineTooFar(payment.deadline, ack.acceptedAt + DEADLINE_AHEAD_MAX);
            }
            bytes32 root = MerkleProof.processProofCalldata(proof, TypedData.hash(ack));
            _requireSigner(_hashTypedDataV4(TypedData.hashRoot(root)), rootSignature, key.key);
            _requireSigner(_hashTypedDataV4(TypedData.hash(key)), keySignature, acknowledgerOf[key.relayerId]);
            _requireSigner(digest, signature, payment.payer);
        }
        _accounts[payment.token][payment.payer] = _charge(word, payment);
        emit OverdueSettled(
            digest,
            payment.payer,
            payment.payee,
            payment.token,
            payment.amount,
            payment.nonce,
            payment.orderRef
        );
        _pay(payment.payee, payment.token, payment.amount, tokenConfig[payment.token].payoutMin);
    }

    function paymentDigest(Payment calldata payment) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.hash(payment));
    }

    /// @return The word after `payment`, by the rules of `settle`
    function _charge(AccountWord word, Payment calldata payment) private view returns (AccountWord) {
        _requirePayable(payment.payee, payment.token);
        if (payment.amount == 0) revert ZeroAmount();
        if (block.timestamp > payment.deadline) revert DeadlinePassed(block.timestamp, payment.deadline);
        if (payment.deadline - block.timestamp > DEADLINE_AHEAD_MAX) {
            revert DeadlineTooFar(payment.deadline, block.timestamp + DEADLINE_AHEAD_MAX);
        }
        AccountWord next = word.spend(payment.nonce);
        if (AccountWord.unwrap(next) == 0) {
            uint256 top = word.topNonce();
            if (payment.nonce <= top) revert NonceUsed(payment.nonce, top);
            uint256 reach = top + NONCE_JUMP_MAX;
            revert NonceTooFar(payment.nonce, reach < NONCE_MAX ? reach : NONCE_MAX);
        }
        uint128 balance = word.balance();
        if (payment.amount > balance) revert BalanceShort(balance, payment.amount);
        return next.withBalance(uint128(balance - payment.amount));
    }

    function _requireSigner(bytes32 digest, bytes calldata signature, address expected) private pure {
        address recovered = Signature.recover(digest, signature);
        if (recovered == address(0) || recovered != expected) revert WrongSigner(recovered, expected);
    }
}
