// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";

/// @notice Reads the blob of `IVault.settle`. `open` proves that every record lies inside it; the readers below only
/// pick fields out of calldata, at offsets that follow from `open`.
library Packed {
    uint256 internal constant VERSION = 1;
    uint256 internal constant HEADER_BYTES = 64;
    uint256 internal constant PAYEE_BYTES = 20;
    uint256 internal constant PAYMENT_BYTES = 106;
    uint256 internal constant CANCEL_BYTES = 90;

    struct Batch {
        address token;
        /// Unix seconds; records carry their distance from it.
        uint256 baseDeadline;
        uint256 payeeCount;
        uint256 paymentCount;
        uint256 cancelCount;
        bytes32 anchor;
        /// Where each part starts in calldata.
        uint256 payeesAt;
        uint256 paymentsAt;
        uint256 cancelsAt;
    }

    /// @dev Reverts with Malformed unless the version is known and the length is exactly that of the stated counts.
    function open(bytes calldata blob) internal pure returns (Batch memory batch) {
        if (blob.length < HEADER_BYTES) revert IVault.Malformed("length", blob.length, HEADER_BYTES);
        uint256 head = uint256(bytes32(blob[0:32]));
        if (head >> 248 != VERSION) revert IVault.Malformed("version", head >> 248, VERSION);
        batch.token = address(uint160(head >> 88));
        batch.baseDeadline = uint40(head >> 48);
        batch.payeeCount = uint16(head >> 32);
        batch.paymentCount = uint16(head >> 16);
        batch.cancelCount = uint16(head);
        batch.anchor = bytes32(blob[32:64]);

        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        batch.payeesAt = start + HEADER_BYTES;
        batch.paymentsAt = batch.payeesAt + batch.payeeCount * PAYEE_BYTES;
        batch.cancelsAt = batch.paymentsAt + batch.paymentCount * PAYMENT_BYTES;
        uint256 expected = batch.cancelsAt + batch.cancelCount * CANCEL_BYTES - start;
        if (blob.length != expected) revert IVault.Malformed("length", blob.length, expected);
    }

    function payeeAt(uint256 pos) internal pure returns (address) {
        return address(uint160(_word(pos, 0) >> 96));
    }

    /// @return r Signature, first half
    /// @return vs Signature, second half with the y parity
    function signatureAt(uint256 pos) internal pure returns (bytes32 r, bytes32 vs) {
        return (bytes32(_word(pos, 0)), bytes32(_word(pos, 32)));
    }

    /// @return amount In packed units: times the token's scale is what was signed
    function termsAt(
        uint256 pos
    ) internal pure returns (uint256 amount, uint256 nonce, uint256 deadlineDelta, uint256 payeeIndex) {
        uint256 word = _word(pos, 64);
        return (uint48(word >> 208), uint32(word >> 176), uint16(word >> 160), uint16(word >> 144));
    }

    function payerAt(uint256 pos) internal pure returns (address payer, bytes8 orderRef) {
        uint256 word = _word(pos, 78);
        return (address(uint160(word >> 96)), bytes8(uint64(word >> 32)));
    }

    function cancelTermsAt(
        uint256 pos
    ) internal pure returns (uint256 nonce, uint256 deadlineDelta, address payer) {
        uint256 word = _word(pos, 64);
        return (uint32(word >> 224), uint16(word >> 208), address(uint160(word >> 48)));
    }

    /// Unchecked on purpose: reads past the end of calldata give zeros, and `open` has ruled them out.
    function _word(uint256 pos, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(pos, offset))
        }
    }
}
