// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ChainedLoop} from "../lib/ChainedLoop.sol";
import {Frame} from "../lib/Frame.sol";
import {PackedChained} from "../lib/PackedChained.sol";
import {TypedData} from "../lib/TypedData.sol";
import {Payouts} from "./Payouts.sol";

/// @notice `settleChained`: runs of payments, each run behind one signature.
abstract contract ChainedSettlement is Payouts {
    function settleChained(bytes calldata blob) external nonReentrant whenRunning returns (bytes memory results) {
        uint32 relayerId = relayerIdOf[msg.sender];
        if (relayerId == 0) revert NotRelayer(msg.sender);
        PackedChained.Batch memory batch = PackedChained.open(blob);
        uint256 scale = tokenConfig[batch.token].scale;
        if (scale == 0) revert TokenUnknown(batch.token);
        Frame.open(
            _domainSeparatorV4(),
            relayerId,
            scale,
            batch.baseDeadline,
            batch.payeesAt,
            batch.payeeCount
        );
        results = new bytes((batch.runCount + 7) / 8);

        _checkPayees(batch.token, batch.payeeCount);
        ChainedLoop.settle(_chained[batch.token], batch, results);
        emit ChainedBatchSettled(batch.anchor, batch.token, relayerId, batch.runCount, batch.paymentCount, results);
        _payOut(batch.token, batch.payeeCount, scale);
    }

    function chainedPaymentDigest(ChainedPayment calldata payment) external view returns (bytes32) {
        return _hashTypedDataV4(TypedData.hash(payment));
    }
}
