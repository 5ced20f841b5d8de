// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {PullTest} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

/// Nothing but a header, which is the shortest batch there is.
contract EmptyBatchTest is PullTest {
    function _header(uint8 version) private view returns (bytes memory) {
        return abi.encodePacked(version, address(token), uint40(block.timestamp), uint48(0), bytes32("anchor"));
    }

    function test_succeeds_withNothingButAHeader() public {
        vm.prank(sender);
        vm.assertEq(vault.settle(_header(1)).length, 0, "independent");
        vm.prank(sender);
        vm.assertEq(vault.settle(abi.encodePacked(_header(2), uint8(0))).length, 0, "with wallets");
        vm.prank(sender);
        vm.assertEq(vault.settleChained(_header(3)).length, 0, "chained");
        vm.prank(sender);
        vm.assertEq(settler.settlePull(abi.encodePacked(_header(4), uint24(0))).length, 0, "pull");
    }
}
