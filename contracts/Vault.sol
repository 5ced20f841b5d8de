// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IVault} from "./interfaces/IVault.sol";
import {AccountWord, NONCE_MAX, WINDOW_WIDTH} from "./lib/AccountWord.sol";
import {Packed} from "./lib/Packed.sol";
import {Payout} from "./lib/Payout.sol";
import {Signature} from "./lib/Signature.sol";
import {TypedData} from "./lib/TypedData.sol";

/// @title The settlement vault. Its documentation is `IVault`
/// @dev Immutable: no proxy, no delegatecall. Every function that calls a token holds the transient reentrancy lock, and
/// changes its books before the call.
contract Vault is IVault, EIP712, Ownable2Step, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 public constant DEADLINE_AHEAD_MAX = 12 hours;
    uint256 public constant WITHDRAW_DELAY = 24 hours;
    uint256 public constant PAUSE_MAX = 2 hours;
    uint256 public constant PAUSE_COOLDOWN = 24 hours;
    uint256 public constant NONCE_JUMP_MAX = WINDOW_WIDTH;
    uint256 public constant PAYOUT_GAS = Payout.GAS;

    uint8 private constant COLLATERALISED = 1;

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
    mapping(address token => mapping(address payer => AccountWord)) private _accounts;
    mapping(address payer => mapping(address token => Withdrawal)) private _withdrawals;
    mapping(address payer => mapping(address token => Rebind)) private _rebinds;

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

    constructor(address initialOwner) EIP712("ICESettlement", "1") Ownable(initialOwner) {}

    /// What the records of one batch share. In memory, because a stack slot per value is more than the EVM has.
    struct Run {
        uint256 relayerId;
        uint256 scale;
        bytes32 separator;
        /// Start of the result bits in memory.
        uint256 resultsAt;
        /// Start of the totals in memory: one word per payee.
        uint256 totalsAt;
    }

    function settle(bytes calldata blob) external nonReentrant whenRunning returns (bytes memory results) {
        Run memory run;
        run.relayerId = relayerIdOf[msg.sender];
        if (run.relayerId == 0) revert NotRelayer(msg.sender);
        Packed.Batch memory batch = Packed.open(blob);
        run.scale = tokenConfig[batch.token].scale;
        if (run.scale == 0) revert TokenUnknown(batch.token);
        run.separator = _domainSeparatorV4();

        results = new bytes((batch.paymentCount + batch.cancelCount + 7) / 8);
        uint256[] memory totals = new uint256[](batch.payeeCount);
        uint256 resultsAt;
        uint256 totalsAt;
        assembly ("memory-safe") {
            resultsAt := add(results, 0x20)
            totalsAt := add(totals, 0x20)
        }
        run.resultsAt = resultsAt;
        run.totalsAt = totalsAt;

        _checkPayees(batch);
        _settlePayments(batch, run);
        _settleCancels(batch, run, results);
        emit BatchSettled(batch.anchor, batch.token, uint32(run.relayerId), batch.paymentCount, batch.cancelCount, results);
        _payOut(batch, totals);
    }

    function settleOverdue(
        Payment calldata payment,
        bytes calldata signature,
        Acknowledgement calldata ack,
        bytes32[] calldata proof,
        bytes calldata rootSignature,
        AcknowledgementKey calldata key,
        bytes calldata keySignature
    ) external nonReentrant whenRunning {
        bytes32 digest = paymentDigest(payment);
        AccountWord word = _accounts[payment.token][payment.payer];
        {
            if (ack.guarantee != COLLATERALISED) revert NotCollateralised(ack.guarantee, COLLATERALISED);
            if (block.timestamp <= ack.settleBy) revert NotOverdue(block.timestamp, ack.settleBy);
            if (ack.paymentDigest != digest) revert DigestMismatch(ack.paymentDigest, digest);
            if (word.relayerId() != key.relayerId) revert RelayerMismatch(word.relayerId(), key.relayerId);
            if (ack.acceptedAt < key.notBefore || ack.acceptedAt > key.notAfter) {
                revert KeyOutOfPeriod(ack.acceptedAt, key.notBefore, key.notAfter);
            }
            // Nothing but the key says when it accepted. Its payment's own time bounds what a key may still do after its end.
            if (payment.deadline > ack.acceptedAt + DEADLINE_AHEAD_MAX) {
                revert DeadlineTooFar(payment.deadline, ack.acceptedAt + DEADLINE_AHEAD_MAX);
            }
            bytes32 root = MerkleProof.processProofCalldata(proof, TypedData.hash(ack));
            _requireSigner(_hashTypedDataV4(TypedData.hashRoot(root)), rootSignature, key.key);
            _requireSigner(_hashTypedDataV4(TypedData.hash(key)), keySignature, acknowledgerOf[key.relayerId]);
            _requireSigner(digest, signature, payment.payer);
        }
        _accounts[payment.token][payment.payer] = _charge(word, payment);
        emit OverdueSettled(
            digest,
            payment.payer,
            payment.payee,
            payment.token,
            payment.amount,
            payment.nonce,
            payment.orderRef
        );
        _pay(payment.payee, payment.token, payment.amount, tokenConfig[payment.token].payoutMin);
    }

    function claim(address payee, address token) external nonReentrant {
        _claim(payee, token, payee);
    }

    function claimTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _claim(msg.sender, token, to);
    }

    function deposit(address token, uint256 amount, uint32 relayerId) external nonReentrant {
        if (!tokenConfig[token].listed) revert TokenNotListed(token);
        if (amount == 0) revert ZeroAmount();
        AccountWord word = _accounts[token][msg.sender];
        uint32 bound = word.relayerId();
        if (bound == 0) {
            word = _bind(word, token, relayerId);
        } else if (relayerId != 0 && relayerId != bound) {
            revert RelayerMismatch(bound, relayerId);
        }
        uint256 balance = word.balance();
        if (amount > type(uint128).max - balance) revert BalanceTooLarge(balance, type(uint128).max);
        _accounts[token][msg.sender] = word.withBalance(uint128(balance + amount));
        emit Deposited(msg.sender, token, amount, word.relayerId());

        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 afterwards = IERC20(token).balanceOf(address(this));
        // The books already say `amount`, so anything else must undo them.
        uint256 received = afterwards > before ? afterwards - before : 0;
        if (received != amount) revert DepositMismatch(received, amount);
    }

    function requestWithdraw(address token, uint128 amount) external onlyKnown(token) {
        if (amount == 0) revert ZeroAmount();
        uint64 unlockAt = uint64(block.timestamp + WITHDRAW_DELAY);
        _withdrawals[msg.sender][token] = Withdrawal(amount, unlockAt);
        emit WithdrawRequested(msg.sender, token, amount, unlockAt);
    }

    function cancelWithdraw(address token) external {
        if (_withdrawals[msg.sender][token].unlockAt == 0) revert NoWithdrawal(msg.sender, token);
        delete _withdrawals[msg.sender][token];
        emit WithdrawCancelled(msg.sender, token);
    }

    function withdraw(address token) external nonReentrant {
        _withdraw(token, msg.sender);
    }

    function withdrawTo(address token, address to) external nonReentrant {
        _requirePayable(to, token);
        _withdraw(token, to);
    }

    function _withdraw(address token, address to) private {
        Withdrawal memory asked = _withdrawals[msg.sender][token];
        if (asked.unlockAt == 0) revert NoWithdrawal(msg.sender, token);
        if (block.timestamp < asked.unlockAt) revert TooEarly(block.timestamp, asked.unlockAt);
        AccountWord word = _accounts[token][msg.sender];
        uint128 balance = word.balance();
        uint128 amount = asked.amount < balance ? asked.amount : balance;

        delete _withdrawals[msg.sender][token];
        _accounts[token][msg.sender] = word.withBalance(balance - amount);
        emit Withdrawn(msg.sender, token, amount);
        if (amount > 0) IERC20(token).safeTransfer(to, amount);
    }

    /// @dev Without an owner no sender could ever be added again, while the guardian may still remove the last one.
    function renounceOwnership() public pure override {
        revert OwnerNeeded();
    }

    function setRelayer(address token, uint32 relayerId) external onlyKnown(token) {
        AccountWord word = _accounts[token][msg.sender];
        uint32 bound = word.relayerId();
        if (bound == 0) {
            _accounts[token][msg.sender] = _bind(word, token, relayerId);
            return;
        }
        if (relayerId == 0) revert ZeroRelayer();
        if (relayerId == bound) {
            delete _rebinds[msg.sender][token];
            emit RelayerBound(msg.sender, token, bound);
            return;
        }
        uint64 effectiveAt = uint64(block.timestamp + WITHDRAW_DELAY);
        _rebinds[msg.sender][token] = Rebind(relayerId, effectiveAt);
        emit RelayerRebindRequested(msg.sender, token, relayerId, effectiveAt);
    }

    function applyRelayer(address payer, address token) external {
        Rebind memory asked = _rebinds[payer][token];
        if (asked.effectiveAt == 0) revert NoRebind(payer, token);
        if (block.timestamp < asked.effectiveAt) revert TooEarly(block.timestamp, asked.effectiveAt);
        delete _rebinds[payer][token];
        _accounts[token][payer] = _accounts[token][payer].withRelayer(asked.relayerId);
        emit RelayerBound(payer, token, asked.relayerId);
    }

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

    function accountOf(address payer, address token) public view returns (Account memory) {
        AccountWord word = _accounts[token][payer];
        Withdrawal memory asked = _withdrawals[payer][token];
        Rebind memory rebind = _rebinds[payer][token];
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

    function isNonceUsed(address payer, address token, uint256 nonce) external view returns (bool) {
        AccountWord word = _accounts[token][payer];
        uint256 top = word.topNonce();
        if (nonce > top) return false;
        return top - nonce >= WINDOW_WIDTH || (word.window() >> (top - nonce)) & 1 == 1;
    }

    function paused() public view returns (bool) {
        return block.timestamp < pausedUntil;
    }

    function paymentDigest(Payment calldata payment) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.hash(payment));
    }

    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _checkPayees(Packed.Batch memory batch) private view {
        address token = batch.token;
        for (uint256 pos = batch.payeesAt; pos < batch.paymentsAt; pos += Packed.PAYEE_BYTES) {
            _requirePayable(Packed.payeeAt(pos), token);
        }
    }

    /// The hot loop: all that a payment costs beyond its signature check, its storage word and its calldata is here.
    function _settlePayments(Packed.Batch memory batch, Run memory run) private {
        mapping(address => AccountWord) storage accounts = _accounts[batch.token];
        uint256 template = _paymentTemplate(batch.token, run.separator);
        (uint256 relayerId, uint256 scale, uint256 baseDeadline) = (run.relayerId, run.scale, batch.baseDeadline);
        (uint256 payeesAt, uint256 payeeCount) = (batch.payeesAt, batch.payeeCount);
        (uint256 totalsAt, uint256 resultsAt) = (run.totalsAt, run.resultsAt);
        (uint256 pos, uint256 end, uint256 index) = (batch.paymentsAt, batch.cancelsAt, 0);
        // Counters stay below 2^16, offsets below the length of calldata, amounts below 2^176.
        unchecked {
            for (; pos < end; pos += Packed.PAYMENT_BYTES) {
                (uint256 amount, uint256 nonce, uint256 deadline, uint256 payeeIndex) = Packed.termsAt(pos);
                if (payeeIndex >= payeeCount) revert Malformed("payee index", payeeIndex, payeeCount);
                (address payer, bytes8 orderRef) = Packed.payerAt(pos);
                amount *= scale;
                deadline += baseDeadline;
                (uint256 slot, AccountWord word) = _loadAccount(accounts, payer);
                AccountWord next = word.spend(nonce);
                if (_isDue(word, next, relayerId, amount, deadline)) {
                    address payee = Packed.payeeAt(payeesAt + payeeIndex * Packed.PAYEE_BYTES);
                    bytes32 digest = _fillPayment(template, payer, payee, amount, nonce, deadline, orderRef);
                    if (_isSigner(payer, digest, pos)) {
                        _storePayment(slot, next, amount);
                        _addTotal(totalsAt, payeeIndex, amount);
                        _setResult(resultsAt, index);
                    }
                }
                ++index;
            }
        }
    }

    function _settleCancels(Packed.Batch memory batch, Run memory run, bytes memory results) private {
        if (batch.cancelCount == 0) return;
        mapping(address => AccountWord) storage accounts = _accounts[batch.token];
        uint256 pos = batch.cancelsAt;
        for (uint256 i = 0; i < batch.cancelCount; i++) {
            (uint256 nonce, uint256 deadline, address payer) = Packed.cancelTermsAt(pos);
            deadline += batch.baseDeadline;
            AccountWord word = accounts[payer];
            AccountWord next = word.spend(nonce);
            if (AccountWord.unwrap(next) != 0 && word.relayerId() == run.relayerId && _isInTime(deadline)) {
                bytes32 structHash = keccak256(abi.encode(TypedData.CANCEL, payer, batch.token, nonce, deadline));
                if (_isSigner(payer, _hashTypedDataV4(structHash), pos)) {
                    accounts[payer] = next;
                    uint256 index = batch.paymentCount + i;
                    results[index / 8] |= bytes1(uint8(1 << (index % 8)));
                }
            }
            pos += Packed.CANCEL_BYTES;
        }
    }

    function _payOut(Packed.Batch memory batch, uint256[] memory totals) private {
        uint256 payoutMin = tokenConfig[batch.token].payoutMin;
        for (uint256 i = 0; i < totals.length; i++) {
            if (totals[i] == 0) continue;
            _pay(Packed.payeeAt(batch.payeesAt + i * Packed.PAYEE_BYTES), batch.token, totals[i], payoutMin);
        }
    }

    /// The credit follows the call because only the call tells; the lock keeps `claim` and `settle` out meanwhile.
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

    /// @return The word after `payment`, by the rules of `settle`
    function _charge(AccountWord word, Payment calldata payment) private view returns (AccountWord) {
        _requirePayable(payment.payee, payment.token);
        if (payment.amount == 0) revert ZeroAmount();
        if (block.timestamp > payment.deadline) revert DeadlinePassed(block.timestamp, payment.deadline);
        if (payment.deadline - block.timestamp > DEADLINE_AHEAD_MAX) {
            revert DeadlineTooFar(payment.deadline, block.timestamp + DEADLINE_AHEAD_MAX);
        }
        AccountWord next = word.spend(payment.nonce);
        if (AccountWord.unwrap(next) == 0) {
            uint256 top = word.topNonce();
            if (payment.nonce <= top) revert NonceUsed(payment.nonce, top);
            uint256 reach = top + NONCE_JUMP_MAX;
            revert NonceTooFar(payment.nonce, reach < NONCE_MAX ? reach : NONCE_MAX);
        }
        uint128 balance = word.balance();
        if (payment.amount > balance) revert BalanceShort(balance, payment.amount);
        return next.withBalance(uint128(balance - payment.amount));
    }

    function _bind(AccountWord word, address token, uint32 relayerId) private returns (AccountWord) {
        if (relayerId == 0) revert ZeroRelayer();
        emit RelayerBound(msg.sender, token, relayerId);
        return word.withRelayer(relayerId);
    }

    function _requirePayable(address payee, address token) private view {
        if (payee == address(0) || payee == address(this) || payee == token) revert BadPayee(payee);
    }

    function _requireSigner(bytes32 digest, bytes calldata signature, address expected) private view {
        address recovered = Signature.recover(digest, signature);
        if (recovered == address(0) || recovered != expected) revert WrongSigner(recovered, expected);
    }

    /// @param pos Of a record, which begins with its signature
    function _isSigner(address expected, bytes32 digest, uint256 pos) private view returns (bool) {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        address recovered = Signature.recover(digest, r, vs);
        return recovered == expected && recovered != address(0);
    }

    function _isInTime(uint256 deadline) private view returns (bool) {
        return deadline >= block.timestamp && deadline - block.timestamp <= DEADLINE_AHEAD_MAX;
    }

    /// @return slot Where `accounts[payer]` is stored, so that writing it back needs no second hash
    function _loadAccount(
        mapping(address => AccountWord) storage accounts,
        address payer
    ) private view returns (uint256 slot, AccountWord word) {
        // A mapping's slot by definition: the hash of key and the mapping's own slot. Uses only the scratch space.
        assembly ("memory-safe") {
            mstore(0x00, payer)
            mstore(0x20, accounts.slot)
            slot := keccak256(0x00, 0x40)
            word := sload(slot)
        }
    }

    /// @return due True if nothing but the signature can still stop the payment. `next` as from `spend`
    function _isDue(
        AccountWord word,
        AccountWord next,
        uint256 relayerId,
        uint256 amount,
        uint256 deadline
    ) private view returns (bool due) {
        // Four conditions without a jump. Each subtraction wraps to a huge number exactly where its condition fails:
        // for an amount of zero, and for a deadline that has passed.
        assembly ("memory-safe") {
            due := and(
                and(lt(sub(amount, 1), and(word, 0xffffffffffffffffffffffffffffffff)), eq(shr(224, word), relayerId)),
                and(lt(sub(deadline, timestamp()), add(DEADLINE_AHEAD_MAX, 1)), iszero(iszero(next)))
            )
        }
    }

    /// The balance is the lowest part of the word and at least `amount`: no borrow can leave it.
    function _storePayment(uint256 slot, AccountWord next, uint256 amount) private {
        assembly ("memory-safe") {
            sstore(slot, sub(next, amount))
        }
    }

    /// @return template Memory for one payment's struct and digest, with what a batch's payments share already in place:
    /// typeHash, payer, payee, token, amount, nonce, deadline, orderRef (32 bytes each), 0x1901, separator, struct hash
    function _paymentTemplate(address token, bytes32 separator) private pure returns (uint256 template) {
        bytes32 typeHash = TypedData.PAYMENT;
        // Reserves 322 bytes (rounded up to 352) once per batch, where abi.encode would take new memory per record.
        assembly ("memory-safe") {
            template := mload(0x40)
            mstore(0x40, add(template, 0x160))
            mstore(template, typeHash)
            mstore(add(template, 0x60), token)
            mstore(add(template, 0x100), shl(240, 0x1901))
            mstore(add(template, 0x102), separator)
        }
    }

    /// @return digest Of the payment, through the template: 8 words and 66 bytes hashed, nothing copied
    function _fillPayment(
        uint256 template,
        address payer,
        address payee,
        uint256 amount,
        uint256 nonce,
        uint256 deadline,
        bytes8 orderRef
    ) private pure returns (bytes32 digest) {
        // Writes only inside the memory that _paymentTemplate reserved.
        assembly ("memory-safe") {
            mstore(add(template, 0x20), payer)
            mstore(add(template, 0x40), payee)
            mstore(add(template, 0x80), amount)
            mstore(add(template, 0xa0), nonce)
            mstore(add(template, 0xc0), deadline)
            mstore(add(template, 0xe0), orderRef)
            mstore(add(template, 0x122), keccak256(template, 0x100))
            digest := keccak256(add(template, 0x100), 0x42)
        }
    }

    /// Without the bounds check: the caller has compared `payeeIndex` with the length.
    function _addTotal(uint256 totalsAt, uint256 payeeIndex, uint256 amount) private pure {
        assembly ("memory-safe") {
            let at := add(totalsAt, shl(5, payeeIndex))
            mstore(at, add(mload(at), amount))
        }
    }

    /// Without the bounds check: `results` has a bit for each record of the batch.
    function _setResult(uint256 resultsAt, uint256 index) private pure {
        assembly ("memory-safe") {
            let at := add(resultsAt, shr(3, index))
            mstore8(at, or(byte(0, mload(at)), shl(and(index, 7), 1)))
        }
    }
}
