// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {AccountWord, WINDOW_WIDTH} from "../lib/AccountWord.sol";
import {CHAINED_BALANCE_MAX, CHAINED_RELAYER_MAX, ChainedWord} from "../lib/ChainedWord.sol";
import {Books, CHAINED, INDEPENDENT} from "./Books.sol";

/// @notice The accounts of both modes, as far as they are alike: a balance, a relayer, and how money comes in.
abstract contract Balances is Books {
    using SafeERC20 for IERC20;

    function accountOf(address payer, address token) public view returns (Account memory) {
        AccountWord word = _accounts[token][payer];
        Withdrawal memory asked = _withdrawals[INDEPENDENT][payer][token];
        Rebind memory rebind = _rebinds[INDEPENDENT][payer][token];
        return
            Account({
                balance: word.balance(),
                window: word.window(),
                topNonce: word.topNonce(),
                relayerId: word.relayerId(),
                withdrawAmount: asked.amount,
                withdrawUnlockAt: asked.unlockAt,
                pendingRelayerId: rebind.relayerId,
                pendingEffectiveAt: rebind.effectiveAt
            });
    }

    function accountsOf(address token, address[] calldata payers) external view returns (Account[] memory accounts) {
        accounts = new Account[](payers.length);
        for (uint256 i = 0; i < payers.length; i++) accounts[i] = accountOf(payers[i], token);
    }

    function chainedAccountOf(address payer, address token) public view returns (ChainedAccount memory) {
        ChainedWord word = _chained[token][payer];
        Withdrawal memory asked = _withdrawals[CHAINED][payer][token];
        Rebind memory rebind = _rebinds[CHAINED][payer][token];
        return
            ChainedAccount({
                balance: word.balance(),
                sequence: word.sequence(),
                head: word.head(),
                relayerId: word.relayerId(),
                withdrawAmount: asked.amount,
                withdrawUnlockAt: asked.unlockAt,
                pendingRelayerId: rebind.relayerId,
                pendingEffectiveAt: rebind.effectiveAt
            });
    }

    function chainedAccountsOf(
        address token,
        address[] calldata payers
    ) external view returns (ChainedAccount[] memory accounts) {
        accounts = new ChainedAccount[](payers.length);
        for (uint256 i = 0; i < payers.length; i++) accounts[i] = chainedAccountOf(payers[i], token);
    }

    function isNonceUsed(address payer, address token, uint256 nonce) external view returns (bool) {
        AccountWord word = _accounts[token][payer];
        uint256 top = word.topNonce();
        if (nonce > top) return false;
        return top - nonce >= WINDOW_WIDTH || (word.window() >> (top - nonce)) & 1 == 1;
    }

    function _deposit(uint8 mode, address token, uint256 amount, uint32 relayerId) internal {
        _addToBalance(mode, token, msg.sender, amount, relayerId);
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        _requireReceived(token, before, amount);
    }

    /// @dev Changes the books first; the caller then brings the money, and `_requireReceived` undoes all if it did not come.
    function _addToBalance(uint8 mode, address token, address payer, uint256 amount, uint32 relayerId) internal {
        if (!tokenConfig[token].listed) revert TokenNotListed(token);
        if (amount == 0) revert ZeroAmount();
        (uint256 balance, uint32 bound) = _balanceOf(mode, token, payer);
        if (bound == 0) {
            _bind(mode, token, payer, relayerId);
            bound = relayerId;
        } else if (relayerId != 0 && relayerId != bound) {
            revert RelayerMismatch(bound, relayerId);
        }
        uint256 max = mode == INDEPENDENT ? type(uint128).max : CHAINED_BALANCE_MAX;
        if (amount > max - balance) revert BalanceTooLarge(balance, max);
        _setBalance(mode, token, payer, balance + amount);
        if (mode == INDEPENDENT) emit Deposited(payer, token, amount, bound);
        else emit ChainedDeposited(payer, token, amount, bound);
    }

    function _requireReceived(address token, uint256 before, uint256 amount) internal view {
        uint256 afterwards = IERC20(token).balanceOf(address(this));
        uint256 received = afterwards > before ? afterwards - before : 0;
        if (received != amount) revert DepositMismatch(received, amount);
    }

    function _bind(uint8 mode, address token, address payer, uint32 relayerId) internal {
        if (relayerId == 0) revert ZeroRelayer();
        _requireRelayerFits(mode, relayerId);
        _setRelayerOf(mode, token, payer, relayerId);
        _emitBound(mode, token, payer, relayerId);
    }

    function _requireRelayerFits(uint8 mode, uint32 relayerId) internal pure {
        if (mode == CHAINED && relayerId > CHAINED_RELAYER_MAX) revert RelayerTooLarge(relayerId, CHAINED_RELAYER_MAX);
    }

    function _emitBound(uint8 mode, address token, address payer, uint32 relayerId) internal {
        if (mode == INDEPENDENT) emit RelayerBound(payer, token, relayerId);
        else emit ChainedRelayerBound(payer, token, relayerId);
    }

    function _balanceOf(
        uint8 mode,
        address token,
        address payer
    ) internal view returns (uint256 balance, uint32 relayerId) {
        if (mode == INDEPENDENT) {
            AccountWord word = _accounts[token][payer];
            return (word.balance(), word.relayerId());
        }
        ChainedWord chained = _chained[token][payer];
        return (chained.balance(), chained.relayerId());
    }

    /// @dev `amount` fits the mode's field: it is a sum that was checked, or less than what was there.
    function _setBalance(uint8 mode, address token, address payer, uint256 amount) internal {
        if (mode == INDEPENDENT) _accounts[token][payer] = _accounts[token][payer].withBalance(uint128(amount));
        else _chained[token][payer] = _chained[token][payer].withBalance(uint88(amount));
    }

    function _setRelayerOf(uint8 mode, address token, address payer, uint32 relayerId) internal {
        if (mode == INDEPENDENT) _accounts[token][payer] = _accounts[token][payer].withRelayer(relayerId);
        else _chained[token][payer] = _chained[token][payer].withRelayer(uint16(relayerId));
    }
}
