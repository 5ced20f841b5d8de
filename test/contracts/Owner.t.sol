// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

contract TokenListTest is VaultTest {
    function _list(uint128 scale, uint96 payoutMin) internal {
        vm.prank(owner);
        vault.listToken(address(token), scale, payoutMin);
    }

    function test_succeeds_withEveryPowerOfTen() public {
        uint128 scale = 1;
        for (uint256 i = 0; i <= 38; i++) {
            token = new DemoToken("Token", "TKN", 18);
            vm.expectEmit(address(vault));
            emit IVault.TokenListed(address(token), scale, 5);
            _list(scale, 5);
            (uint128 storedScale, uint96 payoutMin, bool listed) = vault.tokenConfig(address(token));
            vm.assertEq(storedScale, scale, "scale");
            vm.assertEq(payoutMin, 5, "threshold");
            vm.assertTrue(listed, "listed");
            if (i < 38) scale *= 10;
        }
    }

    function test_reverts_whenTheScaleIsNoPowerOfTen(uint128 scale) public {
        uint256 rest = scale;
        while (rest > 0 && rest % 10 == 0) rest /= 10;
        vm.assume(rest > 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.NotPowerOfTen.selector, scale));
        _list(scale, 0);
    }

    function test_reverts_whenTheScaleIsZero() public {
        vm.expectRevert(IVault.ZeroScale.selector);
        _list(0, 0);
    }

    function test_reverts_whenTheScaleWouldChange() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.ScaleFixed.selector, 1, 10));
        _list(10, 0);
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.expectRevert(abi.encodeWithSelector(IVault.ScaleFixed.selector, 1, 10));
        _list(10, 0);
        _list(1, 9);
    }

    function test_reverts_whenTheTokenHasNoCode() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NoCode.selector, stranger));
        vm.prank(owner);
        vault.listToken(stranger, 1, 0);
    }

    function test_succeeds_delisting() public {
        vm.expectEmit(address(vault));
        emit IVault.TokenDelisted(address(token));
        vm.prank(owner);
        vault.delistToken(address(token));
        (uint128 scale, , bool listed) = vault.tokenConfig(address(token));
        vm.assertEq(scale, 1, "the scale stays");
        vm.assertFalse(listed, "listed");
    }

    function test_reverts_whenDelistedTwice() public {
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenNotListed.selector, address(token)));
        vm.prank(owner);
        vault.delistToken(address(token));
    }
}

contract RelayerListTest is VaultTest {
    function test_succeeds_addingAndRemoving() public {
        vm.expectEmit(address(vault));
        emit IVault.RelayerAdded(stranger, 9);
        vm.prank(owner);
        vault.addRelayer(stranger, 9);
        vm.assertEq(vault.relayerIdOf(stranger), 9, "added");
        vm.expectEmit(address(vault));
        emit IVault.RelayerRemoved(stranger, 9);
        vm.prank(guardian);
        vault.removeRelayer(stranger);
        vm.assertEq(vault.relayerIdOf(stranger), 0, "removed");
    }

    function test_reverts_whenTheSenderOrTheIdIsZero() public {
        vm.expectRevert(IVault.ZeroAddress.selector);
        vm.prank(owner);
        vault.addRelayer(address(0), 9);
        vm.expectRevert(IVault.ZeroRelayer.selector);
        vm.prank(owner);
        vault.addRelayer(stranger, 0);
        vm.expectRevert(IVault.ZeroRelayer.selector);
        vm.prank(owner);
        vault.setAcknowledger(0, stranger);
    }

    function test_reverts_whenTheSenderIsTaken() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.SenderTaken.selector, sender, RELAYER_ID));
        vm.prank(owner);
        vault.addRelayer(sender, 9);
    }

    function test_reverts_whenRemovingWhatIsNoRelayer() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NotRelayer.selector, stranger));
        vm.prank(owner);
        vault.removeRelayer(stranger);
    }

    function test_succeeds_settingTheAcknowledgerAndTheGuardian() public {
        vm.expectEmit(address(vault));
        emit IVault.AcknowledgerSet(9, stranger);
        vm.prank(owner);
        vault.setAcknowledger(9, stranger);
        vm.assertEq(vault.acknowledgerOf(9), stranger, "acknowledger");
        vm.expectEmit(address(vault));
        emit IVault.GuardianSet(stranger);
        vm.prank(owner);
        vault.setGuardian(stranger);
        vm.assertEq(vault.guardian(), stranger, "guardian");
    }
}

contract PauseTest is VaultTest {
    function _pause() internal {
        vm.prank(guardian);
        vault.pause();
    }

    function _unpause() internal {
        vm.prank(guardian);
        vault.unpause();
    }

    function test_succeeds_andEndsByItself() public {
        vm.expectEmit(address(vault));
        emit IVault.Paused(guardian, uint64(START + 2 hours));
        _pause();
        vm.assertTrue(vault.paused(), "paused");
        vm.warp(START + 2 hours - 1);
        vm.assertTrue(vault.paused(), "to the last second");
        vm.warp(START + 2 hours);
        vm.assertFalse(vault.paused(), "over");
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "settles again");
    }

    function test_succeeds_liftedEarly() public {
        _pause();
        vm.warp(START + 60);
        vm.expectEmit(address(vault));
        emit IVault.Unpaused(guardian);
        _unpause();
        vm.assertFalse(vault.paused(), "over");
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "settles again");
    }

    function test_reverts_whenExtended() public {
        _pause();
        vm.warp(START + 60);
        vm.expectRevert(abi.encodeWithSelector(IVault.PauseTooSoon.selector, START + 60, START + 26 hours));
        _pause();
    }

    function test_reverts_beforeTheCooldownAfterAPauseIsOver() public {
        _pause();
        vm.warp(START + 26 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.PauseTooSoon.selector, START + 26 hours - 1, START + 26 hours));
        _pause();
        vm.warp(START + 26 hours);
        _pause();
        vm.assertTrue(vault.paused(), "paused again");
    }

    function test_reverts_beforeTheCooldownAfterALiftedPauseIsOver() public {
        _pause();
        vm.warp(START + 60);
        _unpause();
        vm.warp(START + 60 + 24 hours - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.PauseTooSoon.selector, START + 60 + 24 hours - 1, START + 60 + 24 hours)
        );
        _pause();
        vm.warp(START + 60 + 24 hours);
        _pause();
    }

    function test_reverts_liftingWhatIsNotPaused() public {
        vm.expectRevert(abi.encodeWithSelector(IVault.NotPaused.selector, START, 0));
        _unpause();
        _pause();
        vm.warp(START + 2 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.NotPaused.selector, START + 2 hours, START + 2 hours));
        _unpause();
    }

    function test_succeeds_forTheOwnerToo() public {
        vm.prank(owner);
        vault.pause();
        vm.prank(owner);
        vault.unpause();
        vm.prank(owner);
        vault.removeRelayer(sender);
    }
}

contract RightsTest is VaultTest {
    function test_reverts_whenAnotherThanTheOwnerCalls() public {
        bytes[5] memory calls = [
            abi.encodeCall(vault.listToken, (address(token), 1, 0)),
            abi.encodeCall(vault.delistToken, (address(token))),
            abi.encodeCall(vault.addRelayer, (stranger, 9)),
            abi.encodeCall(vault.setAcknowledger, (9, stranger)),
            abi.encodeCall(vault.setGuardian, (stranger))
        ];
        address[3] memory others = [stranger, guardian, sender];
        for (uint256 i = 0; i < calls.length; i++) {
            for (uint256 j = 0; j < others.length; j++) {
                vm.prank(others[j]);
                (bool done, bytes memory answer) = address(vault).call(calls[i]);
                vm.assertFalse(done, "done");
                vm.assertEq(
                    answer,
                    abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, others[j]),
                    "why"
                );
            }
        }
    }

    function test_reverts_whenAnotherThanGuardianOrOwnerCalls() public {
        bytes[3] memory calls = [
            abi.encodeCall(vault.pause, ()),
            abi.encodeCall(vault.unpause, ()),
            abi.encodeCall(vault.removeRelayer, (sender))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            vm.prank(stranger);
            (bool done, bytes memory answer) = address(vault).call(calls[i]);
            vm.assertFalse(done, "done");
            vm.assertEq(answer, abi.encodeWithSelector(IVault.NotGuardian.selector, stranger, guardian), "why");
        }
    }

    function test_succeeds_handingOverOwnershipInTwoSteps() public {
        vm.prank(owner);
        vault.transferOwnership(stranger);
        vm.assertEq(vault.owner(), owner, "not yet");
        vm.prank(stranger);
        vault.acceptOwnership();
        vm.assertEq(vault.owner(), stranger, "new owner");
    }
}

contract ViewsTest is VaultTest {
    function test_succeeds_readingManyAccountsInOrder() public {
        _deposit(stranger, 3 * UNIT);
        vm.prank(payer);
        vault.requestWithdraw(address(token), 5);
        address[] memory payers = new address[](3);
        (payers[0], payers[1], payers[2]) = (stranger, payer, otherPayee);
        IVault.Account[] memory accounts = vault.accountsOf(address(token), payers);
        vm.assertEq(accounts.length, 3, "count");
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(
                abi.encode(accounts[i]),
                abi.encode(vault.accountOf(payers[i], address(token))),
                "as read alone"
            );
        }
        vm.assertEq(accounts[0].balance, 3 * UNIT, "stranger");
        vm.assertEq(accounts[1].withdrawAmount, 5, "payer");
        vm.assertEq(accounts[2].relayerId, 0, "nobody");
    }

    function test_succeeds_statingTheDomain() public view {
        vm.assertEq(vault.DOMAIN_SEPARATOR(), _separator(), "separator");
        (bytes1 fields, string memory name, string memory version, uint256 chainId, address place, bytes32 salt, ) = vault
            .eip712Domain();
        vm.assertEq(bytes32(fields), bytes32(bytes1(0x0f)), "fields");
        vm.assertEq(bytes(name), "ICESettlement", "name");
        vm.assertEq(bytes(version), "1", "version");
        vm.assertEq(chainId, block.chainid, "chain");
        vm.assertEq(place, address(vault), "contract");
        vm.assertEq(salt, bytes32(0), "salt");
    }

    // Finding 3.
    function test_succeeds_recomputingTheDomainWhenTheChainForks() public {
        bytes32 before = vault.DOMAIN_SEPARATOR();
        vm.chainId(block.chainid + 1);
        vm.assertTrue(vault.DOMAIN_SEPARATOR() != before, "changed");
        vm.assertEq(vault.DOMAIN_SEPARATOR(), _separator(), "separator");
    }

    function test_succeeds_statingTheDigestOfAnyPayment(IVault.Payment calldata p) public view {
        vm.assertEq(vault.paymentDigest(p), _digest(p), "digest");
    }

    function test_succeeds_statingTheConstants() public view {
        vm.assertEq(vault.DEADLINE_AHEAD_MAX(), 12 hours, "deadline");
        vm.assertEq(vault.WITHDRAW_DELAY(), 24 hours, "withdraw");
        vm.assertEq(vault.PAUSE_MAX(), 2 hours, "pause");
        vm.assertEq(vault.PAUSE_COOLDOWN(), 24 hours, "cool-down");
        vm.assertEq(vault.NONCE_JUMP_MAX(), 64, "jump");
        vm.assertEq(vault.PAYOUT_GAS(), 200_000, "payout");
    }
}
