// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The least gas with which a batch does not revert, which is where a sender would starve whom it calls. However much
/// gas the compiler makes the way there cost.
/// @param outcome Of the batch with so much gas, without leaving a trace; 0: it reverted
function leastGas(bytes memory blob, function(bytes memory, uint256) returns (uint256) outcome) returns (uint256 least) {
    (uint256 tooLittle, uint256 enough) = (50_000, 1_000_000);
    while (enough - tooLittle > 1) {
        uint256 middle = (tooLittle + enough) / 2;
        if (outcome(blob, middle) == 0) tooLittle = middle;
        else enough = middle;
    }
    return enough;
}
