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
/// @return The word with the nonce used; zero if it cannot be used (no other word is zero: its window holds a bit).
function spend(AccountWord word, uint256 nonce) pure returns (AccountWord) {
    uint256 raw = AccountWord.unwrap(word);
    uint256 top = word.topNonce();
    // None of the subtractions and shifts can wrap: each is guarded by the comparison before it.
    unchecked {
        if (nonce <= top) {
            uint256 age = top - nonce;
            if (age >= WINDOW_WIDTH) return AccountWord.wrap(0);
            uint256 bit = 1 << (WINDOW_AT + age);
            return AccountWord.wrap(raw & bit == 0 ? raw | bit : 0);
        }
        uint256 jump = nonce - top;
        if (jump > WINDOW_WIDTH || nonce > NONCE_MAX) return AccountWord.wrap(0);
        uint256 shifted = uint64((uint256(word.window()) << jump) | 1);
        raw &= (type(uint256).max << RELAYER_AT) | type(uint128).max;
        return AccountWord.wrap(raw | (shifted << WINDOW_AT) | (nonce << TOP_NONCE_AT));
    }
}
