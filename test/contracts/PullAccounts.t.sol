// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {PullTest} from "./base/PullTest.sol";
import {vm} from "./base/Vm.sol";

/// What can be known beforehand of payments out of wallets, and of their nonces.
contract PullAccountsTest is PullTest {
    function test_succeeds_readingManyAccountsInOrder() public {
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 3), PAYER_KEY)), "took effect");
        token.mint(stranger, 5);
        vm.prank(payer);
        token.approve(address(settler), 7);
        address[] memory payers = new address[](3);
        (payers[0], payers[1], payers[2]) = (stranger, payer, otherPayee);
        IPullSettler.PullAccount[] memory accounts = settler.accountsOf(address(token), payers);
        vm.assertEq(accounts.length, 3, "all");
        vm.assertEq(accounts[0].balance, 5, "balance");
        vm.assertEq(accounts[0].allowance + accounts[0].window + accounts[0].topNonce, 0, "nothing else");
        vm.assertEq(accounts[1].balance, 999 * UNIT, "balance of the payer");
        vm.assertEq(accounts[1].allowance, 7, "allowance");
        vm.assertEq(accounts[1].window, 1, "window");
        vm.assertEq(accounts[1].topNonce, 3, "top");
        vm.assertEq(accounts[2].balance, 0, "nothing");
    }

    function test_isNonceUsed_atBothEdgesOfTheWindow() public {
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 64), PAYER_KEY)), "took effect");
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 62), PAYER_KEY)), "and below");
        vm.assertTrue(settler.isNonceUsed(payer, address(token), 0), "64 below: out of the window");
        vm.assertFalse(settler.isNonceUsed(payer, address(token), 1), "63 below: open");
        vm.assertTrue(settler.isNonceUsed(payer, address(token), 62), "2 below: used");
        vm.assertFalse(settler.isNonceUsed(payer, address(token), 63), "1 below: open");
        vm.assertTrue(settler.isNonceUsed(payer, address(token), 64), "the top");
        vm.assertFalse(settler.isNonceUsed(payer, address(token), 65), "above");
    }
}
