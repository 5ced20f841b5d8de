// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";

struct SignedPayment {
    IVault.Payment payment;
    /// Packed units: `payment.amount` / scale.
    uint48 units;
    uint16 payeeIndex;
    bytes32 r;
    bytes32 vs;
}

struct SignedCancel {
    address payer;
    uint32 nonce;
    uint40 deadline;
    bytes32 r;
    bytes32 vs;
}

struct BatchParts {
    uint8 version;
    address token;
    uint40 baseDeadline;
    bytes32 anchor;
    address[] payees;
    SignedPayment[] payments;
    SignedCancel[] cancels;
}

/// @notice Writes and reads the blob of `settle` the slow and plain way: what the vault's own reader is compared with.
library PackedReference {
    function encode(BatchParts memory b) internal pure returns (bytes memory blob) {
        blob = abi.encodePacked(
            b.version,
            b.token,
            b.baseDeadline,
            uint16(b.payees.length),
            uint16(b.payments.length),
            uint16(b.cancels.length),
            b.anchor
        );
        for (uint256 i = 0; i < b.payees.length; i++) blob = abi.encodePacked(blob, b.payees[i]);
        for (uint256 i = 0; i < b.payments.length; i++) {
            SignedPayment memory p = b.payments[i];
            bytes memory terms = abi.encodePacked(
                p.units,
                uint32(p.payment.nonce),
                uint16(p.payment.deadline - b.baseDeadline),
                p.payeeIndex
            );
            blob = abi.encodePacked(blob, p.r, p.vs, terms, p.payment.payer, p.payment.orderRef);
        }
        for (uint256 i = 0; i < b.cancels.length; i++) {
            SignedCancel memory c = b.cancels[i];
            blob = abi.encodePacked(blob, c.r, c.vs, c.nonce, uint16(c.deadline - b.baseDeadline), c.payer);
        }
    }

    /// @notice `length` bytes of `blob` from `start`, as a big-endian number, byte by byte.
    function number(bytes memory blob, uint256 start, uint256 length) internal pure returns (uint256 value) {
        for (uint256 i = start; i < start + length; i++) value = (value << 8) | uint8(blob[i]);
    }
}
