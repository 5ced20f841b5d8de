// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";

// File-level, because assembly can name only those.
uint256 constant RUN_BYTES = 86;
uint256 constant LINK_BYTES = 18;

/// @notice Reads the header of the blob of `IVault.settleChained`. Its length is then exact for the stated counts; that the
/// runs share out exactly the stated payments is checked by `ChainedLoop`.
library PackedChained {
    uint256 internal constant VERSION = 3;
    uint256 internal constant HEADER_BYTES = 64;
    uint256 internal constant PAYEE_BYTES = 20;

    struct Batch {
        address token;
        /// Unix seconds; payments carry their distance from it.
        uint256 baseDeadline;
        uint256 payeeCount;
        uint256 runCount;
        uint256 paymentCount;
        bytes32 anchor;
        /// Where each part starts in calldata.
        uint256 payeesAt;
        uint256 runsAt;
    }

    /// @dev Reverts with Malformed unless the version is known and the length is exactly that of the stated counts.
    function open(bytes calldata blob) internal pure returns (Batch memory batch) {
        if (blob.length < HEADER_BYTES) revert IVault.Malformed("length", blob.length, HEADER_BYTES);
        uint256 first = uint256(bytes32(blob[0:32]));
        if (first >> 248 != VERSION) revert IVault.Malformed("version", first >> 248, VERSION);
        batch.token = address(uint160(first >> 88));
        batch.baseDeadline = uint40(first >> 48);
        batch.payeeCount = uint16(first >> 32);
        batch.runCount = uint16(first >> 16);
        batch.paymentCount = uint16(first);
        batch.anchor = bytes32(blob[32:64]);

        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        batch.payeesAt = start + HEADER_BYTES;
        batch.runsAt = batch.payeesAt + batch.payeeCount * PAYEE_BYTES;
        uint256 end = batch.runsAt + batch.runCount * RUN_BYTES + batch.paymentCount * LINK_BYTES;
        if (blob.length != end - start) revert IVault.Malformed("length", blob.length, end - start);
    }
}
