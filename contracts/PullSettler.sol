// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IPullSettler} from "./interfaces/IPullSettler.sol";
import {IVault} from "./interfaces/IVault.sol";
import {AccountWord, WINDOW_WIDTH} from "./lib/AccountWord.sol";
import {DEADLINE_AHEAD_MAX as AHEAD_MAX} from "./lib/Frame.sol";
import {Packed, PAYMENT_BYTES} from "./lib/Packed.sol";
import {PackedPull} from "./lib/PackedPull.sol";
import {Payout} from "./lib/Payout.sol";
import {Pull} from "./lib/Pull.sol";
import {Signature} from "./lib/Signature.sol";
import {TypedData} from "./lib/TypedData.sol";

/// @title Settlement out of payers' wallets. Its documentation is `IPullSettler`
/// @dev Immutable: no proxy, no delegatecall, no owner. Every function that calls a token holds the transient reentrancy lock,
/// and changes its books before the call.
contract PullSettler is IPullSettler, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 public constant DEADLINE_AHEAD_MAX = AHEAD_MAX;
    uint256 public constant PULL_GAS = Pull.GAS;

    address public immutable vault;

    /// Only nonces: the balance of the word is unused. By token first, as in the vault.
    mapping(address token => mapping(address payer => AccountWord)) private _nonces;
    mapping(address payee => mapping(address token => uint256)) public credit;

    constructor(address vault_) EIP712("ICESettlement", "1") {
        if (vault_.code.length == 0) revert NoCode(vault_);
        vault = vault_;
    }

    /// What the records of one batch share.
    struct Run {
        bytes32 separator;
        uint256 scale;
        uint256 payoutMin;
        /// Owed to each payee, and to all of them.
        uint256[] totals;
        uint256 sum;
        bytes results;
    }

    function settlePull(bytes calldata blob) external nonReentrant returns (bytes memory) {
        uint32 relayerId = _requireRelayer();
        PackedPull.Batch memory batch = PackedPull.open(blob);
        Run memory run;
        (run.scale, run.payoutMin, ) = IVault(vault).tokenConfig(batch.token);
        if (run.scale == 0) revert TokenUnknown(batch.token);
        if (batch.token.code.length == 0) revert NoCode(batch.token);
        run.separator = _domainSeparatorV4();
        run.totals = new uint256[](batch.payeeCount);
        run.results = new bytes((batch.allowanceCount + batch.authorizationCount + 7) / 8);
        _checkPayees(batch);

        uint256 before = IERC20(batch.token).balanceOf(address(this));
        _sendPermits(batch);
        _pull(batch, run);
        // Before anything is paid out of it: a token that moved less than it said would pay from others' credit.
        uint256 afterwards = IERC20(batch.token).balanceOf(address(this));
        uint256 received = afterwards > before ? afterwards - before : 0;
        if (received != run.sum) revert PullMismatch(received, run.sum);

        emit PullBatchSettled(
            batch.anchor,
            batch.token,
            relayerId,
            batch.allowanceCount,
            batch.authorizationCount,
            run.results
        );
        for (uint256 i = 0; i < run.totals.length; i++) {
            if (run.totals[i] > 0) _pay(_payeeAt(batch, i), batch.token, run.totals[i], run.payoutMin);
        }
        return run.results;
    }

    function claim(address payee, address token) external nonReentrant {
        _claim(payee, token, payee);
    }

    function claimTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _claim(msg.sender, token, to);
    }

    function accountsOf(
        address token,
        address[] calldata payers
    ) external view returns (PullAccount[] memory accounts) {
        accounts = new PullAccount[](payers.length);
        for (uint256 i = 0; i < payers.length; i++) {
            AccountWord word = _nonces[token][payers[i]];
            accounts[i] = PullAccount({
                balance: IERC20(token).balanceOf(payers[i]),
                allowance: IERC20(token).allowance(payers[i], address(this)),
                window: word.window(),
                topNonce: word.topNonce()
            });
        }
    }

    function isNonceUsed(address payer, address token, uint256 nonce) external view returns (bool) {
        AccountWord word = _nonces[token][payer];
        uint256 top = word.topNonce();
        if (nonce > top) return false;
        return top - nonce >= WINDOW_WIDTH || (word.window() >> (top - nonce)) & 1 == 1;
    }

    function pullPaymentDigest(PullPayment calldata payment) external view returns (bytes32) {
        return _hashTypedDataV4(TypedData.hashPull(payment));
    }

    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _requireRelayer() private view returns (uint32 relayerId) {
        relayerId = IVault(vault).relayerIdOf(msg.sender);
        if (relayerId == 0) revert NotRelayer(msg.sender);
        uint256 until = IVault(vault).pausedUntil();
        if (block.timestamp < until) revert IsPaused(block.timestamp, until);
    }

    function _checkPayees(PackedPull.Batch memory batch) private view {
        for (uint256 i = 0; i < batch.payeeCount; i++) _requirePayable(_payeeAt(batch, i), batch.token);
    }

    function _sendPermits(PackedPull.Batch memory batch) private {
        uint256 pos = batch.permitsAt;
        for (uint256 i = 0; i < batch.permitCount; i++) {
            PackedPull.Permit memory permit = PackedPull.permitAt(pos);
            Pull.permit(batch.token, permit.owner, permit.value, permit.deadline, permit.r, permit.vs);
            pos += PackedPull.PERMIT_BYTES;
        }
    }

    function _pull(PackedPull.Batch memory batch, Run memory run) private {
        mapping(address => AccountWord) storage nonces = _nonces[batch.token];
        PullPayment memory payment;
        payment.token = batch.token;
        uint256 count = batch.allowanceCount + batch.authorizationCount;
        for (uint256 i = 0; i < count; i++) {
            uint256 pos = batch.paymentsAt + i * PAYMENT_BYTES;
            uint256 payeeIndex = _readPayment(batch, run.scale, pos, payment);
            AccountWord word = nonces[payment.payer];
            AccountWord next = word.spend(payment.nonce);
            if (AccountWord.unwrap(next) == 0 || payment.amount == 0 || !_isInTime(payment.deadline)) continue;
            bytes32 digest = _digest(run.separator, TypedData.hashPullInMemory(payment));
            bool isAllowance = i < batch.allowanceCount;
            if (isAllowance && !_isSigner(payment.payer, digest, pos)) continue;

            // Spent before the token is called, and open again if it refuses: the lock keeps every other writer out.
            nonces[payment.payer] = next;
            bool isDirect = batch.isDirect && isAllowance;
            bool moved = isDirect
                ? _move(payment)
                : isAllowance
                    ? Pull.transferFrom(payment.token, payment.payer, address(this), payment.amount)
                    : _receive(payment, digest, pos);
            if (!moved) {
                nonces[payment.payer] = word;
                continue;
            }
            if (!isDirect) {
                run.totals[payeeIndex] += payment.amount;
                run.sum += payment.amount;
            }
            run.results[i / 8] |= bytes1(uint8(1 << (i % 8)));
        }
    }

    /// From payer to payee. The payee's balance is the only witness of what the token did.
    function _move(PullPayment memory payment) private returns (bool moved) {
        uint256 before = IERC20(payment.token).balanceOf(payment.payee);
        moved = Pull.transferFrom(payment.token, payment.payer, payment.payee, payment.amount);
        if (!moved || payment.payer == payment.payee) return moved;
        uint256 afterwards = IERC20(payment.token).balanceOf(payment.payee);
        uint256 received = afterwards > before ? afterwards - before : 0;
        if (received != payment.amount) revert PullMismatch(received, payment.amount);
    }

    function _receive(PullPayment memory payment, bytes32 digest, uint256 pos) private returns (bool) {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        return
            Pull.receiveWithAuthorization(
                payment.token,
                payment.payer,
                payment.amount,
                payment.deadline + 1,
                digest,
                r,
                vs
            );
    }

    /// The credit follows the call because only the call tells; the lock keeps `claim` and `settlePull` out meanwhile.
    function _pay(address payee, address token, uint256 amount, uint256 payoutMin) private {
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

    /// Fills all of `payment` but the token.
    function _readPayment(
        PackedPull.Batch memory batch,
        uint256 scale,
        uint256 pos,
        PullPayment memory payment
    ) private pure returns (uint256 payeeIndex) {
        (payment.amount, payment.nonce, payment.deadline, payeeIndex) = Packed.termsAt(pos);
        if (payeeIndex >= batch.payeeCount) revert Malformed("payee index", payeeIndex, batch.payeeCount);
        (payment.payer, payment.orderRef) = Packed.payerAt(pos);
        payment.payee = _payeeAt(batch, payeeIndex);
        payment.amount *= scale;
        payment.deadline += batch.baseDeadline;
    }

    function _payeeAt(PackedPull.Batch memory batch, uint256 index) private pure returns (address) {
        return Packed.payeeAt(batch.payeesAt + index * PackedPull.PAYEE_BYTES);
    }

    function _digest(bytes32 separator, bytes32 structHash) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function _isSigner(address expected, bytes32 digest, uint256 pos) private view returns (bool) {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        address recovered = Signature.recover(digest, r, vs);
        return recovered == expected && recovered != address(0);
    }

    function _isInTime(uint256 deadline) private view returns (bool) {
        return deadline >= block.timestamp && deadline - block.timestamp <= DEADLINE_AHEAD_MAX;
    }

    function _requirePayable(address payee, address token) private view {
        if (payee == address(0) || payee == address(this) || payee == token) revert BadPayee(payee);
    }
}
