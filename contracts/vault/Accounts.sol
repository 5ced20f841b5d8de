// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Balances} from "./Balances.sol";
import {CHAINED, INDEPENDENT} from "./Books.sol";

/// @notice What payers do with their accounts themselves. Each function exists once per mode, so that a wallet shows by name
/// which account a call is about.
abstract contract Accounts is Balances {
    using SafeERC20 for IERC20;

    function deposit(address token, uint256 amount, uint32 relayerId) external nonReentrant {
        _deposit(INDEPENDENT, token, amount, relayerId);
    }

    function depositChained(address token, uint256 amount, uint32 relayerId) external nonReentrant {
        _deposit(CHAINED, token, amount, relayerId);
    }

    function requestWithdraw(address token, uint128 amount) external {
        emit WithdrawRequested(msg.sender, token, amount, _requestWithdraw(INDEPENDENT, token, amount));
    }

    function requestWithdrawChained(address token, uint128 amount) external {
        emit ChainedWithdrawRequested(msg.sender, token, amount, _requestWithdraw(CHAINED, token, amount));
    }

    function cancelWithdraw(address token) external {
        _takeWithdrawal(INDEPENDENT, token);
        emit WithdrawCancelled(msg.sender, token);
    }

    function cancelWithdrawChained(address token) external {
        _takeWithdrawal(CHAINED, token);
        emit ChainedWithdrawCancelled(msg.sender, token);
    }

    function withdraw(address token) external nonReentrant {
        _withdraw(INDEPENDENT, token, msg.sender);
    }

    function withdrawTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _withdraw(INDEPENDENT, token, to);
    }

    function withdrawChained(address token) external nonReentrant {
        _withdraw(CHAINED, token, msg.sender);
    }

    function withdrawChainedTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _withdraw(CHAINED, token, to);
    }

    function setRelayer(address token, uint32 relayerId) external {
        _setRelayer(INDEPENDENT, token, relayerId);
    }

    function setRelayerChained(address token, uint32 relayerId) external {
        _setRelayer(CHAINED, token, relayerId);
    }

    function applyRelayer(address payer, address token) external {
        _applyRelayer(INDEPENDENT, payer, token);
    }

    function applyRelayerChained(address payer, address token) external {
        _applyRelayer(CHAINED, payer, token);
    }

    function _requestWithdraw(uint8 mode, address token, uint128 amount) private onlyKnown(token) returns (uint64 unlockAt) {
        if (amount == 0) revert ZeroAmount();
        unlockAt = uint64(block.timestamp + WITHDRAW_DELAY);
        _withdrawals[mode][msg.sender][token] = Withdrawal(amount, unlockAt);
    }

    /// @return asked The caller's withdrawal request, which is gone then
    function _takeWithdrawal(uint8 mode, address token) private returns (Withdrawal memory asked) {
        asked = _withdrawals[mode][msg.sender][token];
        if (asked.unlockAt == 0) revert NoWithdrawal(msg.sender, token);
        delete _withdrawals[mode][msg.sender][token];
    }

    function _withdraw(uint8 mode, address token, address to) private {
        Withdrawal memory asked = _takeWithdrawal(mode, token);
        if (block.timestamp < asked.unlockAt) revert TooEarly(block.timestamp, asked.unlockAt);
        (uint256 balance, ) = _balanceOf(mode, token, msg.sender);
        uint256 amount = asked.amount < balance ? asked.amount : balance;

        _setBalance(mode, token, msg.sender, balance - amount);
        if (mode == INDEPENDENT) emit Withdrawn(msg.sender, token, amount);
        else emit ChainedWithdrawn(msg.sender, token, amount);
        if (amount > 0) IERC20(token).safeTransfer(to, amount);
    }

    function _setRelayer(uint8 mode, address token, uint32 relayerId) private onlyKnown(token) {
        (, uint32 bound) = _balanceOf(mode, token, msg.sender);
        if (bound == 0) return _bind(mode, token, msg.sender, relayerId);
        if (relayerId == 0) revert ZeroRelayer();
        if (relayerId == bound) {
            delete _rebinds[mode][msg.sender][token];
            _emitBound(mode, token, msg.sender, bound);
            return;
        }
        _requireRelayerFits(mode, relayerId);
        uint64 effectiveAt = uint64(block.timestamp + WITHDRAW_DELAY);
        _rebinds[mode][msg.sender][token] = Rebind(relayerId, effectiveAt);
        if (mode == INDEPENDENT) emit RelayerRebindRequested(msg.sender, token, relayerId, effectiveAt);
        else emit ChainedRelayerRebindRequested(msg.sender, token, relayerId, effectiveAt);
    }

    function _applyRelayer(uint8 mode, address payer, address token) private {
        Rebind memory asked = _rebinds[mode][payer][token];
        if (asked.effectiveAt == 0) revert NoRebind(payer, token);
        if (block.timestamp < asked.effectiveAt) revert TooEarly(block.timestamp, asked.effectiveAt);
        delete _rebinds[mode][payer][token];
        _setRelayerOf(mode, token, payer, asked.relayerId);
        _emitBound(mode, token, payer, asked.relayerId);
    }
}
