// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";

// File-level, because assembly can name only those.
uint256 constant PAYMENT_BYTES = 106;

/// @notice Reads the blob of `IVault.settle`. `open` proves that every record lies inside it; the readers below only
/// pick fields out of calldata, at offsets that follow from `open`.
library Packed {
    uint256 internal constant VERSION = 1;
    /// Version 1 with a section of wallet payments behind the cancels.
    uint256 internal constant VERSION_WALLETS = 2;
    uint256 internal constant HEADER_BYTES = 64;
    uint256 internal constant PAYEE_BYTES = 20;
    uint256 internal constant CANCEL_BYTES = 90;
    /// Without the signature.
    uint256 internal constant WALLET_BYTES = 44;
    /// Each wallet may burn 100,000 gas.
    uint256 internal constant WALLETS_MAX = 16;
    uint256 internal constant WALLET_SIGNATURE_BYTES_MAX = 4_096;

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
        /// The first record, behind their number.
        uint256 walletsAt;
        uint256 walletCount;
    }

    /// @dev Reverts with Malformed unless the version is known and the length is exactly that of the stated counts.
    function open(bytes calldata blob) internal pure returns (Batch memory batch) {
        if (blob.length < HEADER_BYTES) revert IVault.Malformed("length", blob.length, HEADER_BYTES);
        uint256 head = uint256(bytes32(blob[0:32]));
        uint256 version = head >> 248;
        if (version != VERSION && version != VERSION_WALLETS) revert IVault.Malformed("version", version, VERSION);
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
        uint256 end = batch.cancelsAt + batch.cancelCount * CANCEL_BYTES;
        if (version == VERSION_WALLETS) end = _openWallets(batch, end, start + blob.length);
        if (blob.length != end - start) revert IVault.Malformed("length", blob.length, end - start);
    }

    /// @param place Where the section starts: its number of records, 1 byte
    /// @return end Behind the last record, at most `blobEnd`
    function _openWallets(Batch memory batch, uint256 place, uint256 blobEnd) private pure returns (uint256 end) {
        _requireRoom(place, 1, blobEnd);
        batch.walletCount = _word(place, 0) >> 248;
        if (batch.walletCount > WALLETS_MAX) revert IVault.Malformed("wallets", batch.walletCount, WALLETS_MAX);
        batch.walletsAt = place + 1;
        end = batch.walletsAt;
        for (uint256 i = 0; i < batch.walletCount; i++) {
            _requireRoom(end, WALLET_BYTES, blobEnd);
            (, , , uint256 payeeIndex) = walletTermsAt(end);
            if (payeeIndex >= batch.payeeCount) revert IVault.Malformed("payee index", payeeIndex, batch.payeeCount);
            uint256 signatureBytes = walletSignatureAt(end).length;
            if (signatureBytes > WALLET_SIGNATURE_BYTES_MAX) {
                revert IVault.Malformed("signature", signatureBytes, WALLET_SIGNATURE_BYTES_MAX);
            }
            _requireRoom(end, WALLET_BYTES + signatureBytes, blobEnd);
            end += WALLET_BYTES + signatureBytes;
        }
    }

    function _requireRoom(uint256 place, uint256 bytesNeeded, uint256 blobEnd) private pure {
        if (place + bytesNeeded > blobEnd) revert IVault.Malformed("length", blobEnd - place, bytesNeeded);
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

    function walletTermsAt(
        uint256 pos
    ) internal pure returns (uint256 amount, uint256 nonce, uint256 deadlineDelta, uint256 payeeIndex) {
        uint256 word = _word(pos, 0);
        return (uint48(word >> 208), uint32(word >> 176), uint16(word >> 160), uint16(word >> 144));
    }

    function walletPayerAt(uint256 pos) internal pure returns (address payer, bytes8 orderRef) {
        uint256 word = _word(pos, 14);
        return (address(uint160(word >> 96)), bytes8(uint64(word >> 32)));
    }

    function walletSignatureAt(uint256 pos) internal pure returns (bytes calldata signature) {
        uint256 length = uint16(_word(pos, 42) >> 240);
        assembly ("memory-safe") {
            signature.offset := add(pos, WALLET_BYTES)
            signature.length := length
        }
    }

    /// Unchecked on purpose: reads past the end of calldata give zeros, and `open` has ruled them out.
    function _word(uint256 pos, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(pos, offset))
        }
    }
}
