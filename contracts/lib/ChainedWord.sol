// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice One chained account in one storage word, lowest bits first: balance 88 | relayerId 16 | sequence 24 | head 128.
/// `ChainedLoop` settles on the raw word; these are for everything that runs once.
type ChainedWord is uint256;

using {balance, relayerId, sequence, head, withBalance, withRelayer} for ChainedWord global;

uint256 constant CHAINED_BALANCE_MAX = type(uint88).max;
uint256 constant CHAINED_RELAYER_MAX = type(uint16).max;
uint256 constant SEQUENCE_MAX = type(uint24).max;

function balance(ChainedWord word) pure returns (uint88) {
    return uint88(ChainedWord.unwrap(word));
}

function relayerId(ChainedWord word) pure returns (uint16) {
    return uint16(ChainedWord.unwrap(word) >> 88);
}

/// The sequence of the last payment settled; the next one is one higher.
function sequence(ChainedWord word) pure returns (uint24) {
    return uint24(ChainedWord.unwrap(word) >> 104);
}

/// The link of the last payment settled: what the next one signs as `previous`.
function head(ChainedWord word) pure returns (bytes16) {
    return bytes16(bytes32(ChainedWord.unwrap(word)));
}

function withBalance(ChainedWord word, uint88 amount) pure returns (ChainedWord) {
    return ChainedWord.wrap((ChainedWord.unwrap(word) & ~uint256(type(uint88).max)) | amount);
}

function withRelayer(ChainedWord word, uint16 id) pure returns (ChainedWord) {
    uint256 rest = ChainedWord.unwrap(word) & ~(uint256(type(uint16).max) << 88);
    return ChainedWord.wrap(rest | (uint256(id) << 88));
}
