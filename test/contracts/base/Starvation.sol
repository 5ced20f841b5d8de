// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {vm} from "./Vm.sol";

/// @notice For tests of those whom a batch calls with a promised amount of gas: a sender who gives the batch too little must
/// revert it, and can never have it settle around somebody who was starved.
abstract contract Starvation {
    enum Outcome {
        Reverted,
        Fed,
        Starved
    }

    /// Sends the batch with so much gas.
    function _sendWith(bytes calldata blob, uint256 gasAmount) internal virtual returns (Outcome);

    /// Tries the amounts just above the least with which the batch does not revert, which is where a sender would starve whom
    /// it calls, however much gas the compiler makes the way there cost.
    function _assertNeverStarved(bytes memory blob) internal {
        uint256 least = _leastGas(blob);
        for (uint256 gasAmount = least; gasAmount < least + 10_000; gasAmount += 50) {
            vm.assertTrue(_outcome(blob, gasAmount) != Outcome.Starved, "starved");
        }
        vm.assertTrue(_outcome(blob, 1_000_000) == Outcome.Fed, "fed");
    }

    /// Reverts with the outcome, so that it leaves no trace.
    function attempt(bytes calldata blob, uint256 gasAmount) external {
        Outcome outcome = _sendWith(blob, gasAmount);
        assembly ("memory-safe") {
            mstore(0, outcome)
            revert(0, 0x20)
        }
    }

    function _leastGas(bytes memory blob) private returns (uint256) {
        (uint256 tooLittle, uint256 enough) = (50_000, 1_000_000);
        while (enough - tooLittle > 1) {
            uint256 middle = (tooLittle + enough) / 2;
            if (_outcome(blob, middle) == Outcome.Reverted) tooLittle = middle;
            else enough = middle;
        }
        return enough;
    }

    function _outcome(bytes memory blob, uint256 gasAmount) private returns (Outcome) {
        try this.attempt(blob, gasAmount) {} catch (bytes memory answer) {
            return abi.decode(answer, (Outcome));
        }
        revert("an attempt left a trace");
    }
}
