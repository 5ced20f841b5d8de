// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

// How far ahead of its block the deadline of a settled record may lie, in seconds; inclusive.
uint256 constant DEADLINE_AHEAD_MAX = 43_200;

// Where the frame starts in memory: above what the compiler reserves for itself, which `Frame.open` checks.
uint256 constant FRAME = 0x400;
// The struct that is hashed for every record: 9 words at most.
uint256 constant STRUCT = 0x400;
// 0x1901, domain separator, struct hash: 66 bytes.
uint256 constant DIGEST = 0x520;
uint256 constant SEPARATOR = 0x522;
uint256 constant STRUCT_HASH = 0x542;
// What ecrecover takes: digest, v, r, s. Its answer replaces the digest. A record that begins with r and s is copied to
// RECORD whole, so that they are in place; it may be 128 bytes long, and zeros follow.
uint256 constant RECOVER = 0x580;
uint256 constant RECORD = 0x5c0;
// What a chained payment's link is the hash of: 55 bytes, and room before and behind for whole words.
uint256 constant LINK = 0x680;
// What is the same for all records of a batch. The stack has no room for it.
uint256 constant RELAYER_ID = 0x6e0;
uint256 constant SCALE = 0x700;
uint256 constant BASE_DEADLINE = 0x720;
uint256 constant PAYEES_LENGTH = 0x740;
uint256 constant END = 0x760;
// Where the payments end that share a word of the bitmap.
uint256 constant CHUNK_END = 0x780;
// What one run keeps while its payments are read.
uint256 constant LEFT = 0x7a0;
uint256 constant SLOT = 0x7c0;
uint256 constant NEXT = 0x7e0;
// Two words per payee: its address, and what the batch owes it.
uint256 constant PAYEES = 0x800;
uint256 constant PAYEE_SHIFT = 6;

/// @notice Memory at addresses that the code knows, for loops that run hundreds of times per batch.
/// @dev A constant address costs 3 gas where a pointer plus offset costs 9; a payment touches memory about 30 times.
library Frame {
    error FrameTaken(uint256 free, uint256 frame);

    /// @notice Allocates everything up to the end of the payees. Must come before other large allocations.
    /// @param payeesAt Where the payees start in calldata, 20 bytes each
    function open(
        bytes32 separator,
        uint256 relayerId,
        uint256 scale,
        uint256 baseDeadline,
        uint256 payeesAt,
        uint256 payeeCount
    ) internal pure {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
        }
        if (free > FRAME) revert FrameTaken(free, FRAME);
        // Allocates by the pointer, as Solidity does; what lies between is skipped. Solidity promises nothing about the
        // content of free memory, hence the zeros, copied from behind the end of calldata.
        assembly ("memory-safe") {
            let end := add(PAYEES, shl(PAYEE_SHIFT, payeeCount))
            mstore(0x40, end)
            calldatacopy(FRAME, calldatasize(), sub(end, FRAME))
            mstore(DIGEST, shl(240, 0x1901))
            mstore(SEPARATOR, separator)
            mstore(RELAYER_ID, relayerId)
            mstore(SCALE, scale)
            mstore(BASE_DEADLINE, baseDeadline)
            mstore(PAYEES_LENGTH, sub(end, PAYEES))
            for { let at := PAYEES } lt(at, end) { at := add(at, 0x40) } {
                mstore(at, shr(96, calldataload(payeesAt)))
                payeesAt := add(payeesAt, 20)
            }
        }
    }

    /// @dev `index` below the number of payees; the sum of a batch's amounts cannot wrap.
    function owe(uint256 index, uint256 amount) internal pure {
        // Writes inside what `open` has allocated.
        assembly ("memory-safe") {
            let at := add(add(PAYEES, 0x20), shl(PAYEE_SHIFT, index))
            mstore(at, add(mload(at), amount))
        }
    }

    /// @dev `index` below the number of payees.
    function payeeAt(uint256 index) internal pure returns (address payee, uint256 total) {
        // Reads inside what `open` has allocated.
        assembly ("memory-safe") {
            let at := add(PAYEES, shl(PAYEE_SHIFT, index))
            payee := mload(at)
            total := mload(add(at, 0x20))
        }
    }
}
