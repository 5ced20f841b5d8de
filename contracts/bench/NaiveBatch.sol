// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";

/// @notice The batch one writes first, from OpenZeppelin's parts alone: check, count, move and log every payment. A
/// baseline of `bench/gas`: never deployed to production.
contract NaiveBatch is EIP712, Nonces {
    using SafeERC20 for IERC20;

    /// The fields of `IVault.Payment`, so that both check and carry the same.
    struct Payment {
        address payer;
        address payee;
        address token;
        uint256 amount;
        uint256 nonce;
        uint256 deadline;
        bytes8 orderRef;
    }

    bytes32 private constant PAYMENT =
        keccak256(
            "Payment(address payer,address payee,address token,uint256 amount,uint256 nonce,uint256 deadline,bytes8 orderRef)"
        );

    event PaymentSettled(
        address indexed payer,
        address indexed payee,
        address indexed token,
        uint256 amount,
        uint256 nonce,
        bytes8 orderRef
    );

    error DeadlinePassed(uint256 time, uint256 deadline);
    error WrongSigner(address recovered, address expected);

    constructor() EIP712("NaiveBatch", "1") {}

    /// @param signatures 65 bytes each, in the order of `payments`
    function settle(Payment[] calldata payments, bytes[] calldata signatures) external {
        for (uint256 i = 0; i < payments.length; i++) {
            Payment calldata payment = payments[i];
            if (block.timestamp > payment.deadline) revert DeadlinePassed(block.timestamp, payment.deadline);
            bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(PAYMENT, payment)));
            address recovered = ECDSA.recover(digest, signatures[i]);
            if (recovered != payment.payer) revert WrongSigner(recovered, payment.payer);
            _useCheckedNonce(payment.payer, payment.nonce);
            IERC20(payment.token).safeTransferFrom(payment.payer, payment.payee, payment.amount);
            emit PaymentSettled(
                payment.payer,
                payment.payee,
                payment.token,
                payment.amount,
                payment.nonce,
                payment.orderRef
            );
        }
    }
}
