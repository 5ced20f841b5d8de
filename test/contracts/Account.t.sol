// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {
    BlocklistToken,
    BonusToken,
    FeeToken,
    PretendingToken,
    ReentrantToken,
    SilentToken
} from "../../contracts/test/HostileTokens.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

contract DepositTest is VaultTest {
    function test_succeeds_andBindsAFreshAccount() public {
        _approve(stranger, UNIT);
        vm.expectEmit(address(vault));
        emit IVault.RelayerBound(stranger, address(token), RELAYER_ID);
        vm.expectEmit(address(vault));
        emit IVault.Deposited(stranger, address(token), UNIT, RELAYER_ID);
        vm.prank(stranger);
        vault.deposit(address(token), UNIT, RELAYER_ID);
        IVault.Account memory account = vault.accountOf(stranger, address(token));
        vm.assertEq(account.balance, UNIT, "balance");
        vm.assertEq(account.relayerId, RELAYER_ID, "relayer");
        vm.assertEq(token.balanceOf(address(vault)), 1_001 * UNIT, "vault");
    }

    function test_succeeds_leavingTheRelayerWhenItIsZero() public {
        _approve(payer, UNIT);
        vm.prank(payer);
        vault.deposit(address(token), UNIT, 0);
        vm.assertEq(vault.accountOf(payer, address(token)).relayerId, RELAYER_ID, "relayer");
        vm.assertEq(_balance(), 1_001 * UNIT, "balance");
    }

    function test_succeeds_withATokenThatAnswersNothing() public {
        _use(address(new SilentToken()));
        vm.assertEq(_balance(), 1_000 * UNIT, "balance");
    }

    function test_reverts_whenAFreshAccountNamesNoRelayer() public {
        _approve(stranger, UNIT);
        vm.expectRevert(IVault.ZeroRelayer.selector);
        vm.prank(stranger);
        vault.deposit(address(token), UNIT, 0);
    }

    // Finding 5.
    function test_reverts_whenAnotherRelayerIsBound() public {
        _approve(payer, UNIT);
        vm.expectRevert(abi.encodeWithSelector(IVault.RelayerMismatch.selector, RELAYER_ID, 8));
        vm.prank(payer);
        vault.deposit(address(token), UNIT, 8);
    }

    function test_reverts_whenTheTokenIsNotListed() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotListed.selector, stranger));
        vm.prank(payer);
        vault.deposit(stranger, UNIT, RELAYER_ID);
    }

    function test_reverts_whenTheTokenIsDelisted() public {
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotListed.selector, address(token)));
        vm.prank(payer);
        vault.deposit(address(token), UNIT, RELAYER_ID);
    }

    function test_reverts_whenTheAmountIsZero() public {
        vm.expectRevert(IVault.ZeroAmount.selector);
        vm.prank(payer);
        vault.deposit(address(token), 0, RELAYER_ID);
    }

    // Finding 8.
    function test_reverts_whenTheVaultReceivesAnotherAmount() public {
        address[3] memory tokens = [address(new FeeToken()), address(new BonusToken()), address(new PretendingToken())];
        uint256[3] memory received = [UNIT - 1, UNIT + 1, 0];
        for (uint256 i = 0; i < tokens.length; i++) {
            token = DemoToken(tokens[i]);
            vm.prank(owner);
            vault.listToken(tokens[i], 1, 0);
            _approve(payer, UNIT);
            vm.expectRevert(abi.encodeWithSelector(IVault.DepositMismatch.selector, received[i], UNIT));
            vm.prank(payer);
            vault.deposit(tokens[i], UNIT, RELAYER_ID);
        }
    }

    function test_reverts_whenTheBalanceOutgrowsItsField() public {
        uint256 amount = type(uint128).max;
        _approve(payer, amount);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.BalanceTooLarge.selector, 1_000 * UNIT, type(uint128).max)
        );
        vm.prank(payer);
        vault.deposit(address(token), amount, RELAYER_ID);
    }

    function test_reverts_whenReenteredForADoubleCredit() public {
        ReentrantToken reentrant = new ReentrantToken();
        _use(address(reentrant));
        _approve(payer, UNIT);
        reentrant.setCall(address(vault), abi.encodeCall(vault.deposit, (address(token), UNIT, RELAYER_ID)));
        vm.prank(payer);
        vault.deposit(address(token), UNIT, RELAYER_ID);
        vm.assertEq(
            bytes32(bytes4(reentrant.answer())),
            bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
            "locked"
        );
        vm.assertEq(_balance(), 1_001 * UNIT, "credited once");
    }

    function test_succeeds_forAnyAmountThatFits(uint128 amount) public {
        vm.assume(amount > 0 && amount <= type(uint128).max - 1_000 * UNIT);
        _deposit(payer, amount);
        vm.assertEq(_balance(), 1_000 * UNIT + amount, "balance");
    }
}

contract WithdrawTest is VaultTest {
    function _request(uint128 amount) internal {
        vm.prank(payer);
        vault.requestWithdraw(address(token), amount);
    }

    function _withdraw() internal {
        vm.prank(payer);
        vault.withdraw(address(token));
    }

    function test_succeeds_atTheVerySecondOfTheUnlock() public {
        vm.expectEmit(address(vault));
        emit IVault.WithdrawRequested(payer, address(token), 10 * UNIT, uint64(START + 24 hours));
        _request(uint128(10 * UNIT));
        vm.warp(START + 24 hours);
        vm.expectEmit(address(vault));
        emit IVault.Withdrawn(payer, address(token), 10 * UNIT);
        _withdraw();
        vm.assertEq(token.balanceOf(payer), 10 * UNIT, "payer");
        vm.assertEq(_balance(), 990 * UNIT, "rest");
        vm.assertEq(vault.accountOf(payer, address(token)).withdrawUnlockAt, 0, "request is done");
    }

    function test_succeeds_whilePausedForADelistedTokenWithoutARelayer() public {
        _request(uint128(10 * UNIT));
        vm.warp(START + 24 hours);
        vm.prank(guardian);
        vault.pause();
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.prank(guardian);
        vault.removeRelayer(sender);
        _withdraw();
        vm.assertEq(token.balanceOf(payer), 10 * UNIT, "payer");
    }

    function test_succeeds_withTheBalanceWhenMoreWasAsked() public {
        _request(type(uint128).max);
        vm.assertTrue(_settleOne(_payment(400 * UNIT, 1)), "payments go on meanwhile");
        vm.warp(START + 24 hours);
        _withdraw();
        vm.assertEq(token.balanceOf(payer), 600 * UNIT, "payer");
        vm.assertEq(_balance(), 0, "rest");
        vm.assertEq(vault.accountOf(payer, address(token)).topNonce, 1, "the nonces stay spent");
        vm.assertEq(vault.accountOf(payer, address(token)).relayerId, RELAYER_ID, "and the relayer bound");
    }

    function test_succeeds_withNothingWhenTheBalanceIsGone() public {
        _request(1);
        vm.assertTrue(_settleOne(_payment(1_000 * UNIT, 1)), "took effect");
        vm.warp(START + 24 hours);
        _withdraw();
        vm.assertEq(vault.accountOf(payer, address(token)).withdrawUnlockAt, 0, "request is done");
    }

    function test_succeeds_restartingTheDelay() public {
        _request(uint128(10 * UNIT));
        vm.warp(START + 23 hours);
        _request(uint128(20 * UNIT));
        vm.warp(START + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours, START + 47 hours));
        _withdraw();
        vm.warp(START + 47 hours);
        _withdraw();
        vm.assertEq(token.balanceOf(payer), 20 * UNIT, "payer");
    }

    function test_reverts_whenOneSecondEarly() public {
        _request(1);
        vm.warp(START + 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours - 1, START + 24 hours));
        _withdraw();
    }

    function test_reverts_whenNothingWasAsked() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NoWithdrawal.selector, payer, address(token)));
        _withdraw();
    }

    function test_reverts_whenWithdrawnTwice() public {
        _request(1);
        vm.warp(START + 24 hours);
        _withdraw();
        vm.expectRevert(abi.encodeWithSelector(IVault.NoWithdrawal.selector, payer, address(token)));
        _withdraw();
    }

    function test_reverts_whenTheAmountIsZero() public {
        vm.expectRevert(IVault.ZeroAmount.selector);
        _request(0);
    }

    function test_succeeds_cancelling() public {
        _request(1);
        vm.expectEmit(address(vault));
        emit IVault.WithdrawCancelled(payer, address(token));
        vm.prank(payer);
        vault.cancelWithdraw(address(token));
        vm.warp(START + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.NoWithdrawal.selector, payer, address(token)));
        _withdraw();
    }

    function test_reverts_whenThereIsNothingToCancel() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NoWithdrawal.selector, payer, address(token)));
        vm.prank(payer);
        vault.cancelWithdraw(address(token));
    }
}

contract SetRelayerTest is VaultTest {
    function _set(address who, uint32 relayerId) internal {
        vm.prank(who);
        vault.setRelayer(address(token), relayerId);
    }

    function test_succeeds_atOnceForAnUnboundAccount() public {
        vm.expectEmit(address(vault));
        emit IVault.RelayerBound(stranger, address(token), 8);
        _set(stranger, 8);
        vm.assertEq(vault.accountOf(stranger, address(token)).relayerId, 8, "relayer");
    }

    function test_succeeds_afterTheDelayForABoundAccount() public {
        vm.expectEmit(address(vault));
        emit IVault.RelayerRebindRequested(payer, address(token), 8, uint64(START + 24 hours));
        _set(payer, 8);
        IVault.Account memory account = vault.accountOf(payer, address(token));
        vm.assertEq(account.relayerId, RELAYER_ID, "not yet");
        vm.assertEq(account.pendingRelayerId, 8, "pending");
        vm.assertEq(account.pendingEffectiveAt, START + 24 hours, "pending until");

        vm.warp(START + 24 hours);
        vm.expectEmit(address(vault));
        emit IVault.RelayerBound(payer, address(token), 8);
        vm.prank(stranger);
        vault.applyRelayer(payer, address(token));
        account = vault.accountOf(payer, address(token));
        vm.assertEq(account.relayerId, 8, "relayer");
        vm.assertEq(account.pendingEffectiveAt, 0, "nothing pending");
        vm.assertEq(account.balance, 1_000 * UNIT, "balance");
        vm.assertFalse(_settleOne(_payment(UNIT, 1)), "the former relayer is out");
    }

    function test_succeeds_droppingTheRequestByNamingTheBoundRelayer() public {
        _set(payer, 8);
        _set(payer, RELAYER_ID);
        vm.warp(START + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.NoRebind.selector, payer, address(token)));
        vault.applyRelayer(payer, address(token));
    }

    function test_reverts_whenTheRelayerIsZero() public {
        vm.expectRevert(IVault.ZeroRelayer.selector);
        _set(payer, 0);
        vm.expectRevert(IVault.ZeroRelayer.selector);
        _set(stranger, 0);
    }

    function test_reverts_whenAppliedOneSecondEarly() public {
        _set(payer, 8);
        vm.warp(START + 24 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours - 1, START + 24 hours));
        vault.applyRelayer(payer, address(token));
    }

    function test_reverts_whenThereIsNothingToApply() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NoRebind.selector, payer, address(token)));
        vault.applyRelayer(payer, address(token));
    }
}

contract ClaimTest is VaultTest {
    BlocklistToken private blocklist;

    function setUp() public override {
        super.setUp();
        blocklist = new BlocklistToken();
        _use(address(blocklist));
        blocklist.setBlocked(payee, true);
        _settleOne(_payment(UNIT, 1));
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "credited");
    }

    function test_succeeds_forAnyoneWhilePausedForADelistedToken() public {
        blocklist.setBlocked(payee, false);
        vm.prank(guardian);
        vault.pause();
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.expectEmit(address(vault));
        emit IVault.Claimed(payee, address(token), payee, UNIT);
        vm.prank(stranger);
        vault.claim(payee, address(token));
        vm.assertEq(token.balanceOf(payee), UNIT, "payee");
        vm.assertEq(vault.credit(payee, address(token)), 0, "credit");
    }

    function test_reverts_whenTheTokenStillRefuses() public {
        vm.expectRevert(abi.encodeWithSelector(BlocklistToken.Blocked.selector, payee));
        vault.claim(payee, address(token));
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "credit stays");
    }

    function test_reverts_whenThereIsNoCredit() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NoCredit.selector, stranger, address(token)));
        vault.claim(stranger, address(token));
        vm.expectRevert(abi.encodeWithSelector(IVault.NoCredit.selector, stranger, address(token)));
        vm.prank(stranger);
        vault.claimTo(address(token), otherPayee);
    }

    function test_succeeds_toAnotherAddressOfThePayeesChoice() public {
        vm.expectEmit(address(vault));
        emit IVault.Claimed(payee, address(token), otherPayee, UNIT);
        vm.prank(payee);
        vault.claimTo(address(token), otherPayee);
        vm.assertEq(token.balanceOf(otherPayee), UNIT, "receiver");
        vm.assertEq(vault.credit(payee, address(token)), 0, "credit");
    }

    function test_reverts_whenSentWhereItWouldBeLost() public {
        address[3] memory bad = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < bad.length; i++) {
            vm.expectRevert(abi.encodeWithSelector(IVault.BadPayee.selector, bad[i]));
            vm.prank(payee);
            vault.claimTo(address(token), bad[i]);
        }
    }
}
