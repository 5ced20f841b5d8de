// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../interfaces/IPullSettler.sol";
import {PAYMENT_BYTES} from "./Packed.sol";

/// @notice Reads the header of the blob of `IPullSettler.settlePull` and its permits. Payments are packed as in `Packed`.
library PackedPull {
    uint256 internal constant VERSION = 4;
    uint256 internal constant HEADER_BYTES = 67;
    uint256 internal constant PAYEE_BYTES = 20;
    uint256 internal constant PERMIT_BYTES = 148;
    uint256 internal constant NETTED = 0;
    uint256 internal constant DIRECT = 1;

    struct Batch {
        address token;
        /// Unix seconds; payments carry their distance from it.
        uint256 baseDeadline;
        uint256 payeeCount;
        uint256 allowanceCount;
        uint256 authorizationCount;
        uint256 permitCount;
        bytes32 anchor;
        bool isDirect;
        /// Where each part starts in calldata.
        uint256 payeesAt;
        uint256 permitsAt;
        uint256 paymentsAt;
    }

    struct Permit {
        bytes32 r;
        bytes32 vs;
        address owner;
        uint256 value;
        uint256 deadline;
    }

    /// @dev Reverts with Malformed unless version and payout are known and the length is exactly that of the stated counts.
    function open(bytes calldata blob) internal pure returns (Batch memory batch) {
        if (blob.length < HEADER_BYTES) revert IPullSettler.Malformed("length", blob.length, HEADER_BYTES);
        uint256 head = uint256(bytes32(blob[0:32]));
        if (head >> 248 != VERSION) revert IPullSettler.Malformed("version", head >> 248, VERSION);
        batch.token = address(uint160(head >> 88));
        batch.baseDeadline = uint40(head >> 48);
        batch.payeeCount = uint16(head >> 32);
        batch.allowanceCount = uint16(head >> 16);
        batch.authorizationCount = uint16(head);
        batch.anchor = bytes32(blob[32:64]);
        batch.permitCount = uint16(bytes2(blob[64:66]));
        uint256 payout = uint8(blob[66]);
        if (payout > DIRECT) revert IPullSettler.Malformed("payout", payout, DIRECT);
        batch.isDirect = payout == DIRECT;

        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        batch.payeesAt = start + HEADER_BYTES;
        batch.permitsAt = batch.payeesAt + batch.payeeCount * PAYEE_BYTES;
        batch.paymentsAt = batch.permitsAt + batch.permitCount * PERMIT_BYTES;
        uint256 end = batch.paymentsAt + (batch.allowanceCount + batch.authorizationCount) * PAYMENT_BYTES;
        if (blob.length != end - start) revert IPullSettler.Malformed("length", blob.length, end - start);
    }

    /// @dev Unchecked on purpose: reads past the end of calldata give zeros, and `open` has ruled them out.
    function permitAt(uint256 pos) internal pure returns (Permit memory permit) {
        assembly ("memory-safe") {
            calldatacopy(permit, pos, 0x40)
            mstore(add(permit, 0x40), shr(96, calldataload(add(pos, 64))))
            calldatacopy(add(permit, 0x60), add(pos, 84), 0x40)
        }
    }
}
