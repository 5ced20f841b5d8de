// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {PullParts, PullTest, SignedPull} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

contract PullAmountsTest is PullTest {
    function _settleUnits(IPullSettler.PullPayment memory p, uint256 units) private returns (bytes memory) {
        SignedPull memory signed = _signPull(p, PAYER_KEY);
        // A copy of its own: what is packed is not what was signed.
        signed.payment = abi.decode(abi.encode(p), (IPullSettler.PullPayment));
        signed.payment.amount = units;
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = signed;
        return _settlePull(b);
    }

    function test_succeeds_withTheSignedAmountScaled() public {
        DemoToken wide = new DemoToken("Wide", "WIDE", 18);
        vm.prank(owner);
        vault.listToken(address(wide), 1e12, 0);
        token = wide;
        wide.mint(payer, 10e18);
        vm.prank(payer);
        wide.approve(address(settler), type(uint256).max);
        vm.assertEq(_settleUnits(_pull(3.5e18, 1), 3_500_000), hex"01", "took effect");
        vm.assertEq(wide.balanceOf(payee), 3.5e18, "payee");
    }

    function test_succeeds_withASingleUnit() public {
        vm.assertEq(_settleUnits(_pull(1, 1), 1), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), 1, "payee");
    }
}
