// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {FeeToken} from "../../contracts/test/HostileTokens.sol";
import {ChainedTest} from "./base/ChainedTest.sol";
import {vm} from "./base/Vm.sol";

/// What a payer does with a chained account; the rules are those of the independent one, on other storage.
contract ChainedAccountTest is ChainedTest {
    function test_succeeds_depositingAndBindingAFreshAccount() public {
        _approve(stranger, UNIT);
        vm.expectEmit(address(vault));
        emit IVault.ChainedRelayerBound(stranger, address(token), RELAYER_ID);
        vm.expectEmit(address(vault));
        emit IVault.ChainedDeposited(stranger, address(token), UNIT, RELAYER_ID);
        vm.prank(stranger);
        vault.depositChained(address(token), UNIT, RELAYER_ID);
        vm.assertEq(_chained(stranger).balance, UNIT, "balance");
        vm.assertEq(_chained(stranger).relayerId, RELAYER_ID, "relayer");
        vm.assertEq(vault.accountOf(stranger, address(token)).relayerId, 0, "the independent account is untouched");
    }

    function test_reverts_whenTheBalanceOutgrowsItsField() public {
        uint256 max = type(uint88).max;
        _approve(payer, max);
        vm.expectRevert(abi.encodeWithSelector(IVault.BalanceTooLarge.selector, 1_000 * UNIT, max));
        vm.prank(payer);
        vault.depositChained(address(token), max - 1_000 * UNIT + 1, RELAYER_ID);
        vm.prank(payer);
        vault.depositChained(address(token), max - 1_000 * UNIT, RELAYER_ID);
        vm.assertEq(_chained(payer).balance, max, "to the last unit");
        vm.assertEq(_chained(payer).relayerId, RELAYER_ID, "relayer");
    }

    function test_reverts_whenTheRelayerIdOutgrowsItsField() public {
        _approve(stranger, UNIT);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IVault.RelayerTooLarge.selector, 65_536, 65_535));
        vault.depositChained(address(token), UNIT, 65_536);
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IVault.RelayerTooLarge.selector, 65_536, 65_535));
        vault.setRelayerChained(address(token), 65_536);
        vm.prank(stranger);
        vault.setRelayerChained(address(token), 65_535);
        vm.assertEq(_chained(stranger).relayerId, 65_535, "the largest");
    }

    // Finding 5.
    function test_reverts_whenAnotherRelayerIsBound() public {
        _approve(payer, UNIT);
        vm.expectRevert(abi.encodeWithSelector(IVault.RelayerMismatch.selector, RELAYER_ID, 8));
        vm.prank(payer);
        vault.depositChained(address(token), UNIT, 8);
    }

    // Finding 8.
    function test_reverts_whenTheVaultReceivesAnotherAmount() public {
        address fee = address(new FeeToken());
        vm.prank(owner);
        vault.listToken(fee, 1, 0);
        token = FeeToken(fee);
        _approve(payer, UNIT);
        vm.expectRevert(abi.encodeWithSelector(IVault.DepositMismatch.selector, UNIT - 1, UNIT));
        vm.prank(payer);
        vault.depositChained(fee, UNIT, RELAYER_ID);
    }

    function test_succeeds_withdrawingAfterTheDelay() public {
        vm.expectEmit(address(vault));
        emit IVault.ChainedWithdrawRequested(payer, address(token), uint128(400 * UNIT), uint64(START + 24 hours));
        vm.prank(payer);
        vault.requestWithdrawChained(address(token), uint128(400 * UNIT));
        vm.warp(START + 24 hours - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours - 1, START + 24 hours)
        );
        vm.prank(payer);
        vault.withdrawChained(address(token));
        vm.warp(START + 24 hours);
        vm.expectEmit(address(vault));
        emit IVault.ChainedWithdrawn(payer, address(token), 400 * UNIT);
        vm.prank(payer);
        vault.withdrawChained(address(token));
        vm.assertEq(token.balanceOf(payer), 400 * UNIT, "payer");
        vm.assertEq(_chained(payer).balance, 600 * UNIT, "rest");
        vm.assertEq(_balance(), 1_000 * UNIT, "the independent account is untouched");
    }

    function test_keeps_theRequestsOfBothModesApart() public {
        vm.prank(payer);
        vault.requestWithdraw(address(token), uint128(UNIT));
        vm.warp(START + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.NoWithdrawal.selector, payer, address(token)));
        vm.prank(payer);
        vault.withdrawChained(address(token));
        vm.prank(payer);
        vault.setRelayer(address(token), 9);
        vm.warp(START + 48 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.NoRebind.selector, payer, address(token)));
        vault.applyRelayerChained(payer, address(token));
    }

    function test_succeeds_withdrawingToAnotherAddress() public {
        vm.prank(payer);
        vault.requestWithdrawChained(address(token), type(uint128).max);
        vm.warp(START + 24 hours);
        address[3] memory lost = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(payer);
            vm.expectRevert(abi.encodeWithSelector(IVault.BadPayee.selector, lost[i]));
            vault.withdrawChainedTo(address(token), lost[i]);
        }
        vm.prank(payer);
        vault.withdrawChainedTo(address(token), stranger);
        vm.assertEq(token.balanceOf(stranger), 1_000 * UNIT, "all of it");
    }

    function test_succeeds_cancellingAWithdrawal() public {
        vm.prank(payer);
        vault.requestWithdrawChained(address(token), 1);
        vm.expectEmit(address(vault));
        emit IVault.ChainedWithdrawCancelled(payer, address(token));
        vm.prank(payer);
        vault.cancelWithdrawChained(address(token));
        vm.assertEq(_chained(payer).withdrawUnlockAt, 0, "gone");
    }

    function test_succeeds_rebindingAfterTheDelay() public {
        vm.expectEmit(address(vault));
        emit IVault.ChainedRelayerRebindRequested(payer, address(token), 8, uint64(START + 24 hours));
        vm.prank(payer);
        vault.setRelayerChained(address(token), 8);
        vm.assertEq(_chained(payer).pendingRelayerId, 8, "pending");
        vm.warp(START + 24 hours - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours - 1, START + 24 hours)
        );
        vault.applyRelayerChained(payer, address(token));
        vm.warp(START + 24 hours);
        vault.applyRelayerChained(payer, address(token));
        vm.assertEq(_chained(payer).relayerId, 8, "bound");
        vm.assertEq(_chained(payer).balance, 1_000 * UNIT, "balance");
    }

    // The chain goes on where it was, whatever the balance did.
    function test_keeps_theHeadThroughDepositAndWithdrawal() public {
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 2), PAYER_KEY)), "first run");
        bytes16 head = _chained(payer).head;
        _depositChained(payer, 5 * UNIT);
        vm.prank(payer);
        vault.requestWithdrawChained(address(token), uint128(UNIT));
        vm.warp(START + 24 hours);
        vm.prank(payer);
        vault.withdrawChained(address(token));
        vm.assertEq(bytes32(_chained(payer).head), bytes32(head), "head");
        vm.assertEq(_chained(payer).sequence, 2, "sequence");
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 1), PAYER_KEY)), "second run");
    }

    function test_succeeds_listingManyAccounts() public view {
        address[] memory payers = new address[](2);
        (payers[0], payers[1]) = (stranger, payer);
        IVault.ChainedAccount[] memory accounts = vault.chainedAccountsOf(address(token), payers);
        vm.assertEq(accounts[0].balance, 0, "stranger");
        vm.assertEq(accounts[1].balance, 1_000 * UNIT, "payer");
    }

    function test_agrees_withTheDigestOfTheReference(IVault.ChainedPayment calldata p) public view {
        vm.assertEq(vault.chainedPaymentDigest(p), _digest(p), "digest");
    }
}
