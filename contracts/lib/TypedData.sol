// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../interfaces/IPullSettler.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice Struct hashes of everything that is signed. @dev EIP-712; the vectors in test/vectors pin each of them
library TypedData {
    bytes32 internal constant PAYMENT =
        keccak256(
            "Payment(address payer,address payee,address token,uint256 amount,uint256 nonce,uint256 deadline,bytes8 orderRef)"
        );
    bytes32 internal constant CHAINED_PAYMENT =
        keccak256(
            "ChainedPayment(address payer,address payee,address token,uint256 amount,uint256 sequence,uint256 deadline,bytes8 orderRef,bytes16 previous)"
        );
    bytes32 internal constant PULL_PAYMENT =
        keccak256(
            "PullPayment(address payer,address payee,address token,uint256 amount,uint256 nonce,uint256 deadline,bytes8 orderRef)"
        );
    bytes32 internal constant CANCEL = keccak256("Cancel(address payer,address token,uint256 nonce,uint256 deadline)");
    bytes32 internal constant DEPOSIT_AUTHORIZATION =
        keccak256("DepositAuthorization(address payer,address token,uint8 mode,uint32 relayerId,bytes32 salt)");
    bytes32 internal constant ACKNOWLEDGEMENT =
        keccak256(
            "Acknowledgement(bytes32 paymentDigest,bytes32 orderHash,uint256 fee,uint8 guarantee,uint256 acceptedAt,uint256 settleBy)"
        );
    bytes32 internal constant ACKNOWLEDGEMENT_ROOT = keccak256("AcknowledgementRoot(bytes32 root)");
    bytes32 internal constant ACKNOWLEDGEMENT_KEY =
        keccak256("AcknowledgementKey(uint32 relayerId,address key,uint256 notBefore,uint256 notAfter)");

    function hash(IVault.Payment calldata payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(PAYMENT, payment));
    }

    function hashInMemory(IVault.Payment memory payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(PAYMENT, payment));
    }

    function hashPull(IPullSettler.PullPayment calldata payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(PULL_PAYMENT, payment));
    }

    function hashPullInMemory(IPullSettler.PullPayment memory payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(PULL_PAYMENT, payment));
    }

    /// @notice The EIP-3009 nonce of a deposit.
    function hash(IVault.DepositAuthorization calldata authorization) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEPOSIT_AUTHORIZATION, authorization));
    }

    function hash(IVault.ChainedPayment calldata payment) internal pure returns (bytes32) {
        return keccak256(abi.encode(CHAINED_PAYMENT, payment));
    }

    /// @notice The Merkle leaf. 224 bytes are hashed, so no leaf can pass for an inner node of 64.
    function hash(IVault.Acknowledgement calldata ack) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACKNOWLEDGEMENT, ack));
    }

    function hash(IVault.AcknowledgementKey calldata key) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACKNOWLEDGEMENT_KEY, key));
    }

    function hashRoot(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACKNOWLEDGEMENT_ROOT, root));
    }
}
