// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AuthorizingToken} from "./AuthorizingToken.sol";

/// @notice Misbehaves towards one receiver, in a way that can be changed at any time: 0 not at all, 1 reverts, 2 burns its gas,
/// 3 answers false (or nothing, where nothing is asked for) without moving anything, 4 reverts with as much data as its gas
/// affords.
contract MoodyToken is AuthorizingToken {
    error Unwilling(address receiver);

    address public victim;
    uint256 public mood;

    function setMood(address newVictim, uint256 newMood) external {
        (victim, mood) = (newVictim, newMood);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return _isWilling(to) && super.transfer(to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return _isWilling(to) && super.transferFrom(from, to, amount);
    }

    function receiveWithAuthorization(
        address from,
        address to,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) public override {
        if (!_isWilling(to)) return;
        super.receiveWithAuthorization(from, to, amount, validAfter, validBefore, nonce, v, r, s);
    }

    function _isWilling(address to) private view returns (bool) {
        if (to != victim || mood == 0) return true;
        if (mood == 1) revert Unwilling(to);
        if (mood == 2) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (mood == 4) {
            assembly ("memory-safe") {
                revert(0, 280000)
            }
        }
        return false;
    }
}
