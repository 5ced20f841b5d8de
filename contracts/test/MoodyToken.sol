// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../demo/DemoToken.sol";

/// @notice Misbehaves towards one receiver, in a way that can be changed at any time: 0 not at all, 1 reverts, 2 burns its gas,
/// 3 answers false without moving anything, 4 reverts with as much data as its gas affords.
contract MoodyToken is DemoToken("Moody", "MOO", 6) {
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
                revert(0, 800000)
            }
        }
        return false;
    }
}
