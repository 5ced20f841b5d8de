// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How `bench/gas` batches EIP-3009 transfers. A baseline: never deployed to production.
/// @dev The interface of Multicall3's `aggregate3`, which is what facilitators batch with.
contract Multicall {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }
    struct Result {
        bool success;
        bytes returnData;
    }

    error CallFailed(uint256 index);

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, bytes memory returnData) = calls[i].target.call(calls[i].callData);
            if (!success && !calls[i].allowFailure) revert CallFailed(i);
            results[i] = Result(success, returnData);
        }
    }
}
