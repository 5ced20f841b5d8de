// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {PullTest} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

contract DeploymentTest is PullTest {
    function test_reverts_whenTheSettlerGetsNoVault() public {
        bytes memory code = bytes.concat(
            vm.getCode("contracts/PullSettler.sol:PullSettler"),
            abi.encode(stranger)
        );
        address deployed;
        bytes memory answer = new bytes(36);
        assembly ("memory-safe") {
            deployed := create(0, add(code, 0x20), mload(code))
            returndatacopy(add(answer, 0x20), 0, 36)
        }
        vm.assertEq(deployed, address(0), "not deployed");
        vm.assertEq(answer, abi.encodeWithSelector(IPullSettler.NoCode.selector, stranger), "why");
    }

    function test_succeeds_withTheStatedLimits() public view {
        vm.assertEq(vault.DEADLINE_AHEAD_MAX(), 12 hours, "deadline");
        vm.assertEq(vault.WITHDRAW_DELAY(), 24 hours, "withdrawal");
        vm.assertEq(vault.PAUSE_MAX(), 2 hours, "pause");
        vm.assertEq(vault.PAUSE_COOLDOWN(), 24 hours, "cool-down");
        vm.assertEq(vault.NONCE_JUMP_MAX(), 64, "jump");
        vm.assertEq(vault.PAYOUT_GAS(), 200_000, "payout");
        vm.assertEq(settler.DEADLINE_AHEAD_MAX(), 12 hours, "pull deadline");
        vm.assertEq(settler.PULL_GAS(), 200_000, "pull gas");
        vm.assertEq(settler.vault(), address(vault), "vault");
    }
}
