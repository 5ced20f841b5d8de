// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

/// @title Settles signed payments out of prepaid balances, hundreds per transaction
/// @notice Payers deposit a token, sign EIP-712 payments, and the one relayer they chose settles them in batches. Every
/// signature is checked on chain. A payer can always take the rest out again after `WITHDRAW_DELAY`, whoever objects.
///
/// Units: amounts are atomic token units, times are unix seconds, unless a name says otherwise.
/// Signatures: 65 bytes (r, s, v 27 or 28) or the 64 bytes of EIP-2098; s in the lower half of the curve order (EIP-2).
interface IVault is IERC5267 {
    /// @notice What a payer signs: pay `amount` to `payee`, once, until `deadline`.
    struct Payment {
        /// The signer, whose account pays.
        address payer;
        /// Receives the money. Never zero, the vault or the token.
        address payee;
        address token;
        /// Atomic units, never zero.
        uint256 amount;
        /// The payer's replay guard for this token, below 2^32. See `isNonceUsed`
        uint256 nonce;
        /// Last second at which the payment may settle, at most `DEADLINE_AHEAD_MAX` after the block it settles in.
        uint256 deadline;
        /// First 8 bytes of the order's salted hash; zero without an order.
        bytes8 orderRef;
    }

    /// @notice What a payer signs in the chained mode: this payment, and through `previous` every payment since the account's
    /// head. Sign only a `previous` that was computed from payments that were signed before, or the head itself.
    struct ChainedPayment {
        /// The signer, whose chained account pays.
        address payer;
        /// Receives the money. Never zero, the vault or the token.
        address payee;
        address token;
        /// Atomic units, never zero.
        uint256 amount;
        /// One above the sequence of the payment before; the first of an account is 1. At most 2^24 - 1.
        uint256 sequence;
        /// Last second at which the payment may settle, at most `DEADLINE_AHEAD_MAX` after the block it settles in.
        uint256 deadline;
        /// First 8 bytes of the order's salted hash; zero without an order.
        bytes8 orderRef;
        /// The link of the payment before; the account's `head` if that one has settled, zero for the first. A link is
        /// the first 16 bytes of keccak256(deadline 5 | payee 20 | amount / scale 6 | orderRef 8 | previous 16).
        bytes16 previous;
    }

    /// @notice Which account a deposit by EIP-3009 is for. Not signed itself: its struct hash is the `nonce` of the
    /// authorization that the payer signs for the token, and so bound by it.
    struct DepositAuthorization {
        /// The signer of the authorization; only their account is credited.
        address payer;
        address token;
        /// 0: independent, 1: chained.
        uint8 mode;
        /// Binds an unbound account; for a bound one its relayer or 0.
        uint32 relayerId;
        /// Makes each deposit's nonce another one; random.
        bytes32 salt;
    }

    /// @notice The relayer's promise for one accepted payment: a leaf of the tree whose root is signed.
    struct Acknowledgement {
        /// See `paymentDigest`
        bytes32 paymentDigest;
        /// Hash of the whole order; zero without an order.
        bytes32 orderHash;
        /// Atomic units, stated by the relayer; the vault takes none.
        uint256 fee;
        /// 0: may still fail. 1: backed by money in the vault, enforceable through `settleOverdue`.
        uint8 guarantee;
        uint256 acceptedAt;
        /// Last second at which the relayer is still in time.
        uint256 settleBy;
    }

    /// @notice Certifies a short-lived acknowledgement key. Signed by the relayer's `acknowledgerOf`.
    struct AcknowledgementKey {
        uint32 relayerId;
        address key;
        /// First and last second of `acceptedAt` that the key may sign for.
        uint256 notBefore;
        uint256 notAfter;
    }

    /// @notice All that the vault knows of one (payer, token).
    struct Account {
        uint128 balance;
        /// Bit k: nonce `topNonce - k` is used.
        uint64 window;
        /// The highest nonce used; 0 with an empty window: none yet.
        uint32 topNonce;
        /// The only relayer that may settle from the account. 0: none, nothing can settle.
        uint32 relayerId;
        /// What the payer asked to take out; may exceed the balance. 0: nothing.
        uint128 withdrawAmount;
        /// From when on `withdraw` pays. 0: nothing asked.
        uint64 withdrawUnlockAt;
        /// The relayer that the payer asked for instead. 0: none.
        uint32 pendingRelayerId;
        /// From when on `applyRelayer` works. 0: nothing asked.
        uint64 pendingEffectiveAt;
    }

    /// @notice All that the vault knows of one (payer, token) in the chained mode.
    struct ChainedAccount {
        uint88 balance;
        /// Of the last payment settled. 0: none yet.
        uint24 sequence;
        /// Link of the last payment settled: `previous` of the next one.
        bytes16 head;
        /// As in `Account`
        uint16 relayerId;
        uint128 withdrawAmount;
        uint64 withdrawUnlockAt;
        uint32 pendingRelayerId;
        uint64 pendingEffectiveAt;
    }

    /// @notice One batch took effect as far as `results` says.
    /// @param anchor Audit word of the relayer's choice
    /// @param results Payments first, then cancels, then wallet payments; bit i is byte i / 8, value 1 << (i % 8), set if it took effect
    event BatchSettled(
        bytes32 indexed anchor,
        address indexed token,
        uint32 indexed relayerId,
        uint256 paymentCount,
        uint256 cancelCount,
        bytes results
    );

    /// @notice One chained batch took effect as far as `results` says.
    /// @param results Bit i is byte i / 8, value 1 << (i % 8), set if run i took effect, which is all of its payments
    event ChainedBatchSettled(
        bytes32 indexed anchor,
        address indexed token,
        uint32 indexed relayerId,
        uint256 runCount,
        uint256 paymentCount,
        bytes results
    );

    /// @notice A payment that the relayer had promised was settled by somebody else, after its time.
    event OverdueSettled(
        bytes32 indexed paymentDigest,
        address indexed payer,
        address indexed payee,
        address token,
        uint256 amount,
        uint256 nonce,
        bytes8 orderRef
    );

    /// @notice `amount` waits in the vault for `payee`: it is below the payout threshold, or the token refused to move it.
    event Credited(address indexed payee, address indexed token, uint256 amount);
    event Claimed(address indexed payee, address indexed token, address to, uint256 amount);

    /// @notice Settles a packed batch. Only for relayers' senders; not while paused.
    ///
    /// A record that fails (signature, deadline, relayer, nonce, balance) costs nobody else anything: its bit stays 0.
    /// A payment takes effect iff
    /// - the signature is the payer's over exactly this payment,
    /// - `block.timestamp <= deadline <= block.timestamp + DEADLINE_AHEAD_MAX`,
    /// - the payer's account is bound to the sender's relayer id,
    /// - its nonce is unused (see `isNonceUsed`) and at most `NONCE_JUMP_MAX` above the highest one used,
    /// - `0 < amount <= balance`.
    /// A cancel burns its nonce by the same rules and moves nothing.
    ///
    /// Each payee is paid once per batch, by `transfer` with `PAYOUT_GAS`; below the token's payout threshold, or where
    /// the token refuses, the sum is credited instead.
    /// Payments of contract wallets (ERC-1271) stand in a section of their own, in a batch of version 2: at most 16, each
    /// asked with 100,000 gas whether it signed the payment. They obey the same rules. Which section a payer's record belongs
    /// to is the relayer's choice: an account with code under EIP-7702 that signs with its key belongs to the first.
    /// @param blob version 1 | token 20 | baseDeadline 5 | payeeCount 2 | paymentCount 2 | cancelCount 2 | anchor 32 |
    /// payees 20 each | payments: r 32, vs 32 (EIP-2098), amount 6 (times the token's scale), nonce 4,
    /// deadline - baseDeadline 2, payee index 2, payer 20, orderRef 8 | cancels: r 32, vs 32, nonce 4,
    /// deadline - baseDeadline 2, payer 20. Big-endian, no padding. Version 2 goes on: walletCount 1 | wallet payments:
    /// amount 6, nonce 4, deadline - baseDeadline 2, payee index 2, payer 20, orderRef 8, signature length 2, signature.
    /// @return results As in `BatchSettled`
    function settle(bytes calldata blob) external returns (bytes memory results);

    /// @notice Settles a packed batch of chained payments. Only for relayers' senders; not while paused.
    ///
    /// A run is consecutive payments of one payer, bound by their links to the account's head on one side and to the
    /// signature over the last payment on the other. It takes effect as a whole or not at all, and costs no other run
    /// anything. It takes effect iff
    /// - the signature is the payer's over exactly the last payment, with the sequence and the `previous` that follow from
    ///   the account and the payments before,
    /// - each payment's `amount` is not zero and its deadline is as in `settle`,
    /// - the payer's chained account is bound to the sender's relayer id,
    /// - the sum of its amounts is within the balance, and its last sequence below 2^24.
    ///
    /// Payees are paid as in `settle`.
    /// @param blob version 3 | token 20 | baseDeadline 5 | payeeCount 2 | runCount 2 | paymentCount 2 | anchor 32 |
    /// payees 20 each | runs: r 32, vs 32 (EIP-2098), payer 20, count 2 (not zero; all counts add up to paymentCount), then
    /// for each payment deadline - baseDeadline 2, payee index 2, amount 6 (times the token's scale), orderRef 8.
    /// Big-endian, no padding.
    /// @return results As in `ChainedBatchSettled`
    function settleChained(bytes calldata blob) external returns (bytes memory results);

    /// @notice Settles one promised payment that the relayer left undone. For anyone; not while paused.
    ///
    /// Needs a collateralised acknowledgement past its `settleBy`, in a tree whose root was signed by a key that the
    /// account's relayer certified for `acceptedAt`. The payment itself obeys the rules of `settle`.
    /// @param signature The payer's, over `payment`
    /// @param proof Siblings from the acknowledgement's struct hash up to the root; sorted pairs
    /// @param rootSignature `key.key`'s, over AcknowledgementRoot(root)
    /// @param keySignature The acknowledgement authority's, over `key`
    function settleOverdue(
        Payment calldata payment,
        bytes calldata signature,
        Acknowledgement calldata ack,
        bytes32[] calldata proof,
        bytes calldata rootSignature,
        AcknowledgementKey calldata key,
        bytes calldata keySignature
    ) external;

    /// @notice Sends a payee all that is credited to it. For anyone, always.
    function claim(address payee, address token) external;

    /// @notice Sends all that is credited to the caller to `to`: for a payee that the token will not pay. Always.
    function claimTo(address token, address to) external;

    event Deposited(address indexed payer, address indexed token, uint256 amount, uint32 relayerId);
    event RelayerBound(address indexed payer, address indexed token, uint32 relayerId);
    event RelayerRebindRequested(address indexed payer, address indexed token, uint32 relayerId, uint64 effectiveAt);
    event WithdrawRequested(address indexed payer, address indexed token, uint256 amount, uint64 unlockAt);
    event WithdrawCancelled(address indexed payer, address indexed token);
    event Withdrawn(address indexed payer, address indexed token, uint256 amount);

    /// @notice Adds to the caller's own account; nobody can deposit for another, so nobody binds another.
    /// @param token Listed. The vault must receive exactly `amount`: no fees, no rebasing
    /// @param relayerId Binds an unbound account; for a bound one its relayer or 0
    function deposit(address token, uint256 amount, uint32 relayerId) external;

    /// @notice A deposit by `receiveWithAuthorization` of the token, sent by anyone. @dev EIP-3009
    /// @param authorization Its struct hash is the nonce of what the payer signed: DepositAuthorization(address payer,address
    /// token,uint8 mode,uint32 relayerId,bytes32 salt)
    /// @param validAfter As signed, unix seconds, exclusive
    /// @param validBefore As signed, unix seconds, exclusive
    function depositWithAuthorization(
        DepositAuthorization calldata authorization,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice A deposit from the caller after a `permit` of exactly `amount`. If the permit fails, as it does when somebody
    /// sent it before, an allowance that is there already will do. @dev EIP-2612
    /// @param mode 0: independent, 1: chained
    /// @param deadline Of the permit
    function depositWithPermit(
        uint8 mode,
        address token,
        uint256 amount,
        uint32 relayerId,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Starts (or restarts) the caller's withdrawal. Always.
    /// @param amount May exceed the balance: what is left then is paid
    function requestWithdraw(address token, uint128 amount) external;

    /// @notice Drops the caller's withdrawal request. Always.
    function cancelWithdraw(address token) external;

    /// @notice Pays the caller the requested amount, or the balance if that is less, once `unlockAt` has come. Always.
    function withdraw(address token) external;

    /// @notice The same, to another address: for a payer whom the token blocks. Always.
    /// @param to Not zero, the vault or the token
    function withdrawTo(address token, address to) external;

    /// @notice Binds the caller's unbound account at once. For a bound one it asks for another relayer, effective
    /// through `applyRelayer` after `WITHDRAW_DELAY`; naming the bound relayer again drops that request. Always.
    function setRelayer(address token, uint32 relayerId) external;

    /// @notice Carries out a rebind whose time has come. For anyone, always.
    function applyRelayer(address payer, address token) external;

    event ChainedDeposited(address indexed payer, address indexed token, uint256 amount, uint32 relayerId);
    event ChainedRelayerBound(address indexed payer, address indexed token, uint32 relayerId);
    event ChainedRelayerRebindRequested(address indexed payer, address indexed token, uint32 relayerId, uint64 effectiveAt);
    event ChainedWithdrawRequested(address indexed payer, address indexed token, uint256 amount, uint64 unlockAt);
    event ChainedWithdrawCancelled(address indexed payer, address indexed token);
    event ChainedWithdrawn(address indexed payer, address indexed token, uint256 amount);

    /// @notice As `deposit`, to the caller's chained account: at most 2^88 - 1 units, and a relayer id below 2^16.
    function depositChained(address token, uint256 amount, uint32 relayerId) external;

    /// @notice As the functions without "Chained", for the caller's chained account.
    function requestWithdrawChained(address token, uint128 amount) external;
    function cancelWithdrawChained(address token) external;
    function withdrawChained(address token) external;
    function withdrawChainedTo(address token, address to) external;
    function setRelayerChained(address token, uint32 relayerId) external;
    function applyRelayerChained(address payer, address token) external;

    event TokenListed(address indexed token, uint128 scale, uint96 payoutMin);
    event TokenDelisted(address indexed token);
    event RelayerAdded(address indexed sender, uint32 indexed relayerId);
    event RelayerRemoved(address indexed sender, uint32 indexed relayerId);
    event AcknowledgerSet(uint32 indexed relayerId, address authority);
    event GuardianSet(address guardian);
    event Paused(address indexed by, uint64 until);
    event Unpaused(address indexed by);

    /// @notice Opens a token for deposits, or changes its threshold. Owner.
    /// @param scale Atomic units per packed unit: a power of ten, fixed for ever by the first listing
    /// @param payoutMin Batch totals below it are credited instead of sent. 0: always sent
    function listToken(address token, uint128 scale, uint96 payoutMin) external;

    /// @notice Stops deposits of a token; settlement, withdrawal and claims go on. Owner.
    function delistToken(address token) external;

    /// @notice Lets `sender` settle as `relayerId`; one id may have many senders. Owner.
    function addRelayer(address sender, uint32 relayerId) external;

    /// @notice Takes the right to settle from `sender`, at once. Guardian or owner.
    function removeRelayer(address sender) external;

    /// @notice Sets who certifies a relayer's acknowledgement keys. 0: nobody. Owner.
    /// Promises certified by the former authority can no longer be enforced: change it once they have all been kept.
    function setAcknowledger(uint32 relayerId, address authority) external;

    /// @notice Sets who may pause and remove relayers besides the owner. 0: nobody. Owner.
    function setGuardian(address newGuardian) external;

    /// @notice Stops settlement for `PAUSE_MAX`; not again until `PAUSE_COOLDOWN` after it ended. Guardian or owner.
    function pause() external;

    /// @notice Ends a pause early. Guardian or owner.
    function unpause() external;

    /// @notice How far ahead of its block a settled payment's deadline may lie, in seconds.
    function DEADLINE_AHEAD_MAX() external view returns (uint256);
    /// @notice From a withdrawal or rebind request to its effect, in seconds.
    function WITHDRAW_DELAY() external view returns (uint256);
    /// @notice Longest pause, in seconds.
    function PAUSE_MAX() external view returns (uint256);
    /// @notice From the end of a pause to the next possible one, in seconds.
    function PAUSE_COOLDOWN() external view returns (uint256);
    /// @notice How far above the highest used nonce a record's nonce may lie; also the width of the window.
    function NONCE_JUMP_MAX() external view returns (uint256);
    /// @notice Gas that a token's `transfer` to a payee gets.
    function PAYOUT_GAS() external view returns (uint256);

    function accountOf(address payer, address token) external view returns (Account memory);
    /// @notice The same for many payers of one token, in their order.
    function accountsOf(address token, address[] calldata payers) external view returns (Account[] memory);
    function chainedAccountOf(address payer, address token) external view returns (ChainedAccount memory);
    function chainedAccountsOf(address token, address[] calldata payers) external view returns (ChainedAccount[] memory);
    /// @notice True if `nonce` is spent, or so far below the highest one that it counts as spent.
    function isNonceUsed(address payer, address token, uint256 nonce) external view returns (bool);
    /// @notice What waits in the vault for a payee.
    function credit(address payee, address token) external view returns (uint256 amount);
    /// @notice A token's configuration. `scale` 0: never listed.
    function tokenConfig(address token) external view returns (uint128 scale, uint96 payoutMin, bool listed);
    /// @notice 0: no relayer.
    function relayerIdOf(address sender) external view returns (uint32);
    function acknowledgerOf(uint32 relayerId) external view returns (address);
    function guardian() external view returns (address);
    /// @notice True during a pause, which ends by itself at `pausedUntil`.
    function paused() external view returns (bool);
    /// @notice First second after the last pause. 0: never paused.
    function pausedUntil() external view returns (uint64);
    /// @notice First second at which `pause` works again. 0: never paused.
    function pauseAllowedAt() external view returns (uint64);
    /// @notice What a payer's signature covers.
    function paymentDigest(Payment calldata payment) external view returns (bytes32);
    function chainedPaymentDigest(ChainedPayment calldata payment) external view returns (bytes32);
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    /// @notice The batch is not what `settle` describes.
    /// @param what "version", "length", "payee index" (then `expected` is the exclusive bound), and of a chained batch "run"
    /// (a run's count: not zero, at most `expected`) and "payments" (all runs' counts), and of
    /// wallet payments "wallets" (their number) and "signature" (its length)
    error Malformed(bytes32 what, uint256 actual, uint256 expected);
    /// @notice Zero, the vault and the token cannot be paid.
    error BadPayee(address payee);
    /// @notice Too little gas left to pay a payee (or to check a signature) fairly. Send more.
    error GasShort(uint256 available, uint256 needed);
    error NotRelayer(address sender);
    error NotGuardian(address sender, address guardian);
    error IsPaused(uint256 timestamp, uint256 until);
    error NotPaused(uint256 timestamp, uint256 until);
    error PauseTooSoon(uint256 timestamp, uint256 allowedAt);

    error ZeroAddress();
    error ZeroAmount();
    error ZeroRelayer();
    error ZeroScale();
    error NotPowerOfTen(uint256 scale);
    error ScaleFixed(uint256 fixedScale, uint256 given);
    error NoCode(address token);
    /// @notice Never listed: there is no scale.
    error TokenUnknown(address token);
    error TokenNotListed(address token);
    error SenderTaken(address sender, uint32 relayerId);

    /// @notice An account of this mode has no room for such an id.
    error RelayerTooLarge(uint32 relayerId, uint256 max);
    error ModeUnknown(uint8 mode, uint8 max);
    error AllowanceShort(uint256 allowance, uint256 amount);
    error RelayerMismatch(uint32 bound, uint32 given);
    /// @notice The vault received something else than was said: a fee, a rebase.
    error DepositMismatch(uint256 received, uint256 expected);
    error BalanceTooLarge(uint256 balance, uint256 max);
    error NoWithdrawal(address payer, address token);
    error NoRebind(address payer, address token);
    error TooEarly(uint256 timestamp, uint256 effectiveAt);
    error NoCredit(address payee, address token);

    /// @notice The signer is not who should have signed. `recovered` 0: not a valid signature at all.
    error WrongSigner(address recovered, address expected);
    error NotCollateralised(uint8 guarantee, uint8 expected);
    error NotOverdue(uint256 timestamp, uint256 settleBy);
    error DigestMismatch(bytes32 acknowledged, bytes32 actual);
    error KeyOutOfPeriod(uint256 acceptedAt, uint256 notBefore, uint256 notAfter);
    error DeadlinePassed(uint256 timestamp, uint256 deadline);
    error DeadlineTooFar(uint256 deadline, uint256 max);
    /// @dev The vault is never left without an owner.
    error OwnerNeeded();
    error NonceUsed(uint256 nonce, uint256 topNonce);
    error NonceTooFar(uint256 nonce, uint256 max);
    error BalanceShort(uint256 balance, uint256 amount);
}
