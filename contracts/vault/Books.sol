// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "../interfaces/IVault.sol";
import {AccountWord, WINDOW_WIDTH} from "../lib/AccountWord.sol";
import {ChainedWord} from "../lib/ChainedWord.sol";
import {DEADLINE_AHEAD_MAX as AHEAD_MAX} from "../lib/Frame.sol";
import {Payout} from "../lib/Payout.sol";

// The modes of an account. A payer has one account per token and mode.
uint8 constant INDEPENDENT = 0;
uint8 constant CHAINED = 1;

/// @notice All that the vault stores, in this order and nowhere else, with the limits and the conditions that guard it.
/// @dev Slots 0 and 1 are those of `EIP712`, 2 and 3 of `Ownable2Step`, the first of these is 4. The other parts of the
/// vault store nothing.
abstract contract Books is IVault, EIP712, Ownable2Step, ReentrancyGuardTransient {
    uint256 public constant DEADLINE_AHEAD_MAX = AHEAD_MAX;
    uint256 public constant WITHDRAW_DELAY = 24 hours;
    uint256 public constant PAUSE_MAX = 2 hours;
    uint256 public constant PAUSE_COOLDOWN = 24 hours;
    uint256 public constant NONCE_JUMP_MAX = WINDOW_WIDTH;
    uint256 public constant PAYOUT_GAS = Payout.GAS;

    struct Token {
        uint128 scale;
        uint96 payoutMin;
        bool listed;
    }
    struct Withdrawal {
        uint128 amount;
        uint64 unlockAt;
    }
    struct Rebind {
        uint32 relayerId;
        uint64 effectiveAt;
    }

    /// By token first: a batch has one token, so each record costs one hash instead of two.
    mapping(address token => mapping(address payer => AccountWord)) internal _accounts;
    mapping(address token => mapping(address payer => ChainedWord)) internal _chained;
    mapping(uint8 mode => mapping(address payer => mapping(address token => Withdrawal))) internal _withdrawals;
    mapping(uint8 mode => mapping(address payer => mapping(address token => Rebind))) internal _rebinds;

    mapping(address payee => mapping(address token => uint256)) public credit;
    mapping(address token => Token) public tokenConfig;
    mapping(address sender => uint32) public relayerIdOf;
    mapping(uint32 relayerId => address) public acknowledgerOf;

    address public guardian;
    uint64 public pausedUntil;
    uint64 public pauseAllowedAt;

    modifier onlyGuardian() {
        if (msg.sender != guardian && msg.sender != owner()) revert NotGuardian(msg.sender, guardian);
        _;
    }

    /// Events of tokens that anybody may invent would be work for everyone who follows the vault.
    modifier onlyKnown(address token) {
        if (tokenConfig[token].scale == 0) revert TokenUnknown(token);
        _;
    }

    modifier whenRunning() {
        if (paused()) revert IsPaused(block.timestamp, pausedUntil);
        _;
    }

    /// @dev Without an owner no sender could ever be added again, while the guardian may still remove the last one.
    function renounceOwnership() public pure override {
        revert OwnerNeeded();
    }

    function paused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    function _requirePayable(address payee, address token) internal view {
        if (payee == address(0) || payee == address(this) || payee == token) revert BadPayee(payee);
    }
}
