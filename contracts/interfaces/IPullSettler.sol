// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC5267} from "@openzeppelin/contracts/interfaces/IERC5267.sol";

/// @title Settles signed payments out of payers' own wallets, hundreds per transaction
/// @notice For payers without an account in the vault. The payer allows this contract to take a token, or authorizes each
/// payment for the token itself (EIP-3009), and signs what is paid to whom; relayers of the vault settle it. A contract of
/// its own, so that no allowance ever points at the vault. It holds money only between a payer and a payee of one batch, and
/// what a payee's token refused to take.
///
/// Units and signatures as in `IVault`. A payment may fail until it has settled: nothing is reserved.
interface IPullSettler is IERC5267 {
    /// @notice What a payer signs: take `amount` from the payer's wallet and give it to `payee`, once, until `deadline`.
    struct PullPayment {
        /// The signer, whose wallet pays.
        address payer;
        /// Receives the money. Never zero, this contract or the token.
        address payee;
        address token;
        /// Atomic units, never zero.
        uint256 amount;
        /// The payer's replay guard for this token here, below 2^32. See `isNonceUsed`
        uint256 nonce;
        /// Last second at which the payment may settle, at most `DEADLINE_AHEAD_MAX` after the block it settles in.
        uint256 deadline;
        /// First 8 bytes of the order's salted hash; zero without an order.
        bytes8 orderRef;
    }

    /// @notice All that can be known beforehand of a payment out of a wallet: what it may draw on, and which nonces are left.
    struct PullAccount {
        /// Of the token, in the payer's wallet.
        uint256 balance;
        /// Of it, what this contract may take. Payments by authorization need none.
        uint256 allowance;
        /// Bit k: nonce `topNonce - k` is used.
        uint64 window;
        /// The highest nonce used; 0 with an empty window: none yet.
        uint32 topNonce;
    }

    /// @notice One batch took effect as far as `results` says.
    /// @param anchor Audit word of the relayer's choice
    /// @param results Payments by allowance first, then by authorization; bit i is byte i / 8, value 1 << (i % 8), set if it
    /// took effect
    event PullBatchSettled(
        bytes32 indexed anchor,
        address indexed token,
        uint32 indexed relayerId,
        uint256 allowanceCount,
        uint256 authorizationCount,
        bytes results
    );

    /// @notice `amount` waits here for `payee`: it is below the payout threshold, or the token refused to move it.
    event Credited(address indexed payee, address indexed token, uint256 amount);
    event Claimed(address indexed payee, address indexed token, address to, uint256 amount);

    /// @notice Settles a packed batch. Only for relayers of the vault; not while the vault is paused.
    ///
    /// A record that fails costs nobody else anything: its bit stays 0, its nonce stays open and nothing of it moves.
    /// A payment by allowance takes effect iff
    /// - the signature is the payer's over exactly this PullPayment, in the domain of this contract,
    /// - `block.timestamp <= deadline <= block.timestamp + DEADLINE_AHEAD_MAX`,
    /// - its nonce is unused and at most 64 above the highest one used, `amount` is not zero,
    /// - the token moves the amount, within `PULL_GAS`.
    /// A payment by authorization obeys the same rules but for its signature, which is over the token's own
    /// ReceiveWithAuthorization(from payer, to this contract, value amount, validAfter 0, validBefore deadline + 1, nonce):
    /// its nonce there is `pullPaymentDigest`, so that payee, order and nonce here are bound.
    ///
    /// Permits are tried first, in their order; one that fails is passed over.
    /// Payees are paid once per batch, as in `IVault.settle`. In a direct batch, money by allowance goes from payer to payee
    /// without a stop here.
    ///
    /// The token must move exactly what it says. Otherwise, and only then, the whole batch reverts (`PullMismatch`).
    /// @param blob version 4 | token 20 | baseDeadline 5 | payeeCount 2 | allowanceCount 2 | authorizationCount 2 | anchor 32 |
    /// permitCount 2 | payout 1 (0: netted, 1: direct) | payees 20 each | permits: r 32, vs 32, owner 20, value 32,
    /// deadline 32 | payments by allowance, then by authorization: r 32, vs 32 (EIP-2098), amount 6 (times the token's scale
    /// in the vault), nonce 4, deadline - baseDeadline 2, payee index 2, payer 20, orderRef 8. Big-endian, no padding.
    /// @return results As in `PullBatchSettled`
    function settlePull(bytes calldata blob) external returns (bytes memory results);

    /// @notice Sends a payee all that is credited to it. For anyone, always.
    function claim(address payee, address token) external;

    /// @notice Sends all that is credited to the caller to `to`: for a payee that the token will not pay. Always.
    function claimTo(address token, address to) external;

    /// @notice How far ahead of its block a settled payment's deadline may lie, in seconds.
    function DEADLINE_AHEAD_MAX() external view returns (uint256);
    /// @notice Gas that a token gets for each permit and each payment.
    function PULL_GAS() external view returns (uint256);
    /// @notice Says who is a relayer, which tokens there are, and whether settlement is paused.
    function vault() external view returns (address);
    /// @notice What waits here for a payee.
    function credit(address payee, address token) external view returns (uint256 amount);
    /// @notice In the order of the payers.
    function accountsOf(address token, address[] calldata payers) external view returns (PullAccount[] memory);
    /// @notice True if `nonce` is spent, or so far below the highest one that it counts as spent.
    function isNonceUsed(address payer, address token, uint256 nonce) external view returns (bool);
    /// @notice What a payer's signature covers, and the nonce of an authorization.
    function pullPaymentDigest(PullPayment calldata payment) external view returns (bytes32);
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    /// @notice The batch is not what `settlePull` describes.
    /// @param what "version", "length", "payout" or "payee index" (then `expected` is the exclusive bound)
    error Malformed(bytes32 what, uint256 actual, uint256 expected);
    /// @notice Zero, this contract and the token cannot be paid.
    error BadPayee(address payee);
    /// @notice Too little gas left to treat a record fairly. Send more.
    error GasShort(uint256 available, uint256 needed);
    error NotRelayer(address sender);
    error IsPaused(uint256 timestamp, uint256 until);
    error NoCode(address token);
    /// @notice Never listed in the vault: there is no scale.
    error TokenUnknown(address token);
    /// @notice The token said that it moved `expected`, and moved something else.
    error PullMismatch(uint256 received, uint256 expected);
    error NoCredit(address payee, address token);
}
