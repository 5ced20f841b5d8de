// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One account in one storage word, lowest bits first: balance 128 | window 64 | topNonce 32 | relayerId 32.
/// One word because a payment then costs one storage write.
type AccountWord is uint256;

using {balance, window, topNonce, relayerId, withBalance, withRelayer, spend} for AccountWord global;

uint256 constant WINDOW_WIDTH = 64;
uint256 constant NONCE_MAX = type(uint32).max;

uint256 constant WINDOW_AT = 128;
uint256 constant TOP_NONCE_AT = 192;
uint256 constant RELAYER_AT = 224;

function balance(AccountWord word) pure returns (uint128) {
    return uint128(AccountWord.unwrap(word));
}

function window(AccountWord word) pure returns (uint64) {
    return uint64(AccountWord.unwrap(word) >> WINDOW_AT);
}

function topNonce(AccountWord word) pure returns (uint32) {
    return uint32(AccountWord.unwrap(word) >> TOP_NONCE_AT);
}

function relayerId(AccountWord word) pure returns (uint32) {
    return uint32(AccountWord.unwrap(word) >> RELAYER_AT);
}

function withBalance(AccountWord word, uint128 amount) pure returns (AccountWord) {
    return AccountWord.wrap((AccountWord.unwrap(word) & ~uint256(type(uint128).max)) | amount);
}

function withRelayer(AccountWord word, uint32 id) pure returns (AccountWord) {
    uint256 rest = AccountWord.unwrap(word) & ((1 << RELAYER_AT) - 1);
    return AccountWord.wrap(rest | (uint256(id) << RELAYER_AT));
}

/// @notice Marks `nonce` as used in an anti-replay sliding window (RFC 4303 §3.4.3): any order inside the window,
/// a bounded jump above it. The bound matters: a jump pushes open nonces out of the window and so kills them.
/// @return next The word with the nonce used; zero if it cannot be used (no other word is zero: its window holds a bit).
function spend(AccountWord word, uint256 nonce) pure returns (AccountWord next) {
    // Saves the masking and jumping around each field. No subtraction can wrap, each is guarded by the comparison before
    // it; a window shifted by 64 is empty; what leaves the window is masked before it could reach the top nonce.
    assembly ("memory-safe") {
        let top := and(shr(192, word), 0xffffffff)
        switch gt(nonce, top)
        case 0 {
            let age := sub(top, nonce)
            let bit := shl(age, 0x100000000000000000000000000000000)
            if lt(age, 64) {
                if iszero(and(word, bit)) {
                    next := or(word, bit)
                }
            }
        }
        default {
            let leap := sub(nonce, top)
            if lt(leap, 65) {
                if lt(nonce, 0x100000000) {
                    let used := and(or(shl(leap, shr(128, word)), 1), 0xffffffffffffffff)
                    next := and(word, 0xffffffff000000000000000000000000ffffffffffffffffffffffffffffffff)
                    next := or(next, or(shl(192, nonce), shl(128, used)))
                }
            }
        }
    }
}
