// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Balances} from "./Balances.sol";
import {CHAINED} from "./Books.sol";

/// @notice Deposits that need no approval before: by EIP-3009, sent by anyone, or by EIP-2612, sent by the payer.
abstract contract AuthorizedDeposits is Balances {
    function depositWithAuthorization(
        DepositAuthorization calldata authorization,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        (address payer, address token) = (authorization.payer, authorization.token);
        _requireMode(authorization.mode);
        _addToBalance(authorization.mode, token, payer, amount, authorization.relayerId);
        uint256 before = IERC20(token).balanceOf(address(this));
        bytes32 nonce = TypedData.hash(authorization);
        IERC3009(token).receiveWithAuthorization(payer, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        _requireReceived(token, before, amount);
    }

    function depositWithPermit(
        uint8 mode,
        address token,
        uint256 amount,
        uint32 relayerId,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant {
        _requireMode(mode);
        if (!tokenConfig[token].listed) revert TokenNotListed(token);
        // Anybody may have sent the same permit before, and then it fails here. What counts is the allowance.
        try IERC20Permit(token).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        uint256 allowance = IERC20(token).allowance(msg.sender, address(this));
        if (allowance < amount) revert AllowanceShort(allowance, amount);
        _deposit(mode, token, amount, relayerId);
    }

    function _requireMode(uint8 mode) private pure {
        if (mode > CHAINED) revert ModeUnknown(mode, CHAINED);
    }
}
