// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../../contracts/interfaces/IVault.sol";

struct SignedRun {
    /// In order; all of one payer.
    IVault.ChainedPayment[] payments;
    uint16[] payeeIndexes;
    address payer;
    /// What the blob states, whatever the payments are.
    uint16 count;
    bytes32 r;
    bytes32 vs;
}

struct ChainedParts {
    uint8 version;
    address token;
    uint256 scale;
    uint40 baseDeadline;
    uint16 paymentCount;
    bytes32 anchor;
    address[] payees;
    SignedRun[] runs;
}

/// @notice Writes the blob of `settleChained` and computes links the slow and plain way.
library ChainedReference {
    function link(IVault.ChainedPayment memory p, uint256 scale) internal pure returns (bytes16) {
        return
            bytes16(
                keccak256(
                    abi.encodePacked(uint40(p.deadline), p.payee, uint48(p.amount / scale), p.orderRef, p.previous)
                )
            );
    }

    function encode(ChainedParts memory b) internal pure returns (bytes memory blob) {
        blob = abi.encodePacked(
            b.version,
            b.token,
            b.baseDeadline,
            uint16(b.payees.length),
            uint16(b.runs.length),
            b.paymentCount,
            b.anchor
        );
        for (uint256 i = 0; i < b.payees.length; i++) blob = abi.encodePacked(blob, b.payees[i]);
        for (uint256 i = 0; i < b.runs.length; i++) {
            SignedRun memory run = b.runs[i];
            blob = abi.encodePacked(blob, run.r, run.vs, run.payer, run.count);
            for (uint256 j = 0; j < run.payments.length; j++) {
                IVault.ChainedPayment memory p = run.payments[j];
                blob = abi.encodePacked(
                    blob,
                    uint16(p.deadline - b.baseDeadline),
                    run.payeeIndexes[j],
                    uint48(p.amount / b.scale),
                    p.orderRef
                );
            }
        }
    }
}
