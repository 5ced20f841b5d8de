// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Frame} from "../lib/Frame.sol";
import {Payout} from "../lib/Payout.sol";
import {Books} from "./Books.sol";

/// @notice How payees get their money: at the end of a batch, or later as a claim.
abstract contract Payouts is Books {
    using SafeERC20 for IERC20;

    function claim(address payee, address token) external nonReentrant {
        _claim(payee, token, payee);
    }

    function claimTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _claim(msg.sender, token, to);
    }

    /// @dev Before anything is settled: a payee that cannot be paid is a fault of the whole batch.
    function _checkPayees(address token, uint256 payeeCount) internal view {
        for (uint256 i = 0; i < payeeCount; i++) {
            (address payee, ) = Frame.payeeAt(i);
            _requirePayable(payee, token);
        }
    }

    /// @dev Pays what the frame says each payee is owed.
    /// @param unit Atomic units per unit of the frame's totals
    function _payOut(address token, uint256 payeeCount, uint256 unit) internal {
        uint256 payoutMin = tokenConfig[token].payoutMin;
        for (uint256 i = 0; i < payeeCount; i++) {
            (address payee, uint256 total) = Frame.payeeAt(i);
            if (total > 0) _pay(payee, token, total * unit, payoutMin);
        }
    }

    /// The credit follows the call because only the call tells; the lock keeps `claim` and `settle` out meanwhile.
    function _pay(address payee, address token, uint256 amount, uint256 payoutMin) internal {
        if (amount >= payoutMin && Payout.push(token, payee, amount)) return;
        credit[payee][token] += amount;
        emit Credited(payee, token, amount);
    }

    function _claim(address payee, address token, address to) private {
        uint256 amount = credit[payee][token];
        if (amount == 0) revert NoCredit(payee, token);
        delete credit[payee][token];
        emit Claimed(payee, token, to, amount);
        IERC20(token).safeTransfer(to, amount);
    }
}
