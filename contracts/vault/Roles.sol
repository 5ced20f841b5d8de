// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Books} from "./Books.sol";

/// @notice What owner and guardian may do. Neither can touch a balance.
abstract contract Roles is Books {
    function listToken(address token, uint128 scale, uint96 payoutMin) external onlyOwner {
        if (token.code.length == 0) revert NoCode(token);
        if (scale == 0) revert ZeroScale();
        uint256 power = 1;
        while (power < scale) power *= 10;
        if (power != scale) revert NotPowerOfTen(scale);
        uint128 fixedScale = tokenConfig[token].scale;
        if (fixedScale != 0 && fixedScale != scale) revert ScaleFixed(fixedScale, scale);
        tokenConfig[token] = Token(scale, payoutMin, true);
        emit TokenListed(token, scale, payoutMin);
    }

    function delistToken(address token) external onlyOwner {
        if (!tokenConfig[token].listed) revert TokenNotListed(token);
        tokenConfig[token].listed = false;
        emit TokenDelisted(token);
    }

    function addRelayer(address sender, uint32 relayerId) external onlyOwner {
        if (sender == address(0)) revert ZeroAddress();
        if (relayerId == 0) revert ZeroRelayer();
        uint32 taken = relayerIdOf[sender];
        if (taken != 0) revert SenderTaken(sender, taken);
        relayerIdOf[sender] = relayerId;
        emit RelayerAdded(sender, relayerId);
    }

    function removeRelayer(address sender) external onlyGuardian {
        uint32 relayerId = relayerIdOf[sender];
        if (relayerId == 0) revert NotRelayer(sender);
        delete relayerIdOf[sender];
        emit RelayerRemoved(sender, relayerId);
    }

    function setAcknowledger(uint32 relayerId, address authority) external onlyOwner {
        if (relayerId == 0) revert ZeroRelayer();
        acknowledgerOf[relayerId] = authority;
        emit AcknowledgerSet(relayerId, authority);
    }

    function setGuardian(address newGuardian) external onlyOwner {
        guardian = newGuardian;
        emit GuardianSet(newGuardian);
    }

    function pause() external onlyGuardian {
        if (block.timestamp < pauseAllowedAt) revert PauseTooSoon(block.timestamp, pauseAllowedAt);
        pausedUntil = uint64(block.timestamp + PAUSE_MAX);
        pauseAllowedAt = uint64(block.timestamp + PAUSE_MAX + PAUSE_COOLDOWN);
        emit Paused(msg.sender, pausedUntil);
    }

    function unpause() external onlyGuardian {
        if (!paused()) revert NotPaused(block.timestamp, pausedUntil);
        pausedUntil = uint64(block.timestamp);
        pauseAllowedAt = uint64(block.timestamp + PAUSE_COOLDOWN);
        emit Unpaused(msg.sender);
    }
}
