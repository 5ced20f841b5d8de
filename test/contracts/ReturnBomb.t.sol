// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MoodyToken} from "../../contracts/test/MoodyToken.sol";
import {PullParts, PullTest, SignedPull} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

/// Finding 2: a token that answers with all the data its gas affords, which a careless caller copies at its own expense.
contract ReturnBombTest is PullTest {
    MoodyToken private moody;

    function setUp() public override {
        super.setUp();
        moody = new MoodyToken();
        _useAtHome(address(moody));
        moody.setMood(address(settler), 4);
    }

    function test_ignores_aPullThatBombs() public {
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        uint256 before = gasleft();
        vm.prank(sender);
        vm.assertEq(settler.settlePull(blob), hex"00", "nothing moved");
        vm.assertLe(before - gasleft(), 320_000, "nothing is copied");
    }

    function test_credits_aPayeeWhoseTransferBombs() public {
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        moody.setMood(payee, 4);
        uint256 before = gasleft();
        vm.prank(sender);
        vm.assertEq(settler.settlePull(blob), hex"01", "moved");
        vm.assertLe(before - gasleft(), 400_000, "nothing is copied");
        vm.assertEq(settler.credit(payee, address(token)), UNIT, "credited");
    }
}
