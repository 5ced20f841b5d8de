// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BlocklistToken} from "../../contracts/test/HostileTokens.sol";
import {Starvation} from "./base/Starvation.sol";
import {BatchParts, PackedReference, SignedPayment} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// Gives up at once, and cheaply, unless it gets all of PAYOUT_GAS: what a starving sender would have to find.
contract PickyToken is DemoToken("Picky", "PCK", 6) {
    function transfer(address to, uint256 amount) public override returns (bool) {
        if (gasleft() < 199_000) return false;
        return super.transfer(to, amount);
    }
}

abstract contract OverdueBase is VaultTest {
    uint256 internal constant AUTHORITY_KEY = 0xA07;
    uint256 internal constant SHORT_KEY = 0x5407;

    function setUp() public virtual override {
        super.setUp();
        vm.prank(owner);
        vault.setAcknowledger(RELAYER_ID, vm.addr(AUTHORITY_KEY));
    }

    /// A lonely leaf, signed by the short-lived key, which the authority certified from `notBefore` to `notAfter`.
    function _overdue(
        IVault.Payment memory p,
        uint256 acceptedAt,
        uint256 settleBy,
        uint256 notBefore,
        uint256 notAfter
    ) internal view returns (bytes memory) {
        IVault.Acknowledgement memory a = IVault.Acknowledgement(_digest(p), 0, 0, 1, acceptedAt, settleBy);
        bytes32 leaf = keccak256(
            abi.encode(
                keccak256(
                    "Acknowledgement(bytes32 paymentDigest,bytes32 orderHash,uint256 fee,uint8 guarantee,uint256 acceptedAt,uint256 settleBy)"
                ),
                a
            )
        );
        IVault.AcknowledgementKey memory k = IVault.AcknowledgementKey(
            RELAYER_ID,
            vm.addr(SHORT_KEY),
            notBefore,
            notAfter
        );
        return
            abi.encodeCall(
                vault.settleOverdue,
                (
                    p,
                    _full(PAYER_KEY, _digest(p)),
                    a,
                    new bytes32[](0),
                    _full(
                        SHORT_KEY,
                        _digest(keccak256(abi.encode(keccak256("AcknowledgementRoot(bytes32 root)"), leaf)))
                    ),
                    k,
                    _full(
                        AUTHORITY_KEY,
                        _digest(
                            keccak256(
                                abi.encode(
                                    keccak256(
                                        "AcknowledgementKey(uint32 relayerId,address key,uint256 notBefore,uint256 notAfter)"
                                    ),
                                    k
                                )
                            )
                        )
                    )
                )
            );
    }

    function _try(bytes memory data) internal returns (bool done) {
        vm.prank(stranger);
        (done, ) = address(vault).call(data);
    }
}

/// Each test passes on the code as audited: it shows the weakness. Turn the marked assertion round with the fix.
contract EdgesTest is OverdueBase, Starvation {
    function test_overdue_ofAKeyThatEndedLongAgoIsNoPromise() public {
        uint256 certified = START;
        vm.warp(START + 365 days);
        IVault.Payment memory p = _payment(1_000 * UNIT, 1);
        p.payee = stranger;
        uint256 before = _balance();
        vm.assertFalse(_try(_overdue(p, certified, certified, certified, certified + 1 days)), "settled");
        vm.assertEq(_balance(), before, "balance");
    }

    function test_owner_cannotRenounce() public {
        vm.prank(owner);
        vm.expectRevert(IVault.OwnerNeeded.selector);
        vault.renounceOwnership();
    }

    function test_withdrawTo_servesAPayerWhomTheTokenBlocks() public {
        BlocklistToken blocklist = new BlocklistToken();
        _use(address(blocklist));
        vm.prank(payer);
        vault.requestWithdraw(address(token), uint128(UNIT));
        vm.warp(START + 24 hours);
        blocklist.setBlocked(payer, true);
        vm.prank(payer);
        vault.withdrawTo(address(token), stranger);
        vm.assertEq(token.balanceOf(stranger), UNIT, "paid");
    }

    function test_withdrawTo_reverts_whereItWouldBeLost() public {
        vm.prank(payer);
        vault.requestWithdraw(address(token), uint128(UNIT));
        vm.warp(START + 24 hours);
        address[3] memory lost = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < 3; i++) {
            vm.prank(payer);
            vm.expectRevert(abi.encodeWithSelector(IVault.BadPayee.selector, lost[i]));
            vault.withdrawTo(address(token), lost[i]);
        }
    }

    function test_unknownTokens_makeNoEvents() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenUnknown.selector, address(0xF00)));
        vault.setRelayer(address(0xF00), RELAYER_ID);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenUnknown.selector, address(0xF00)));
        vault.requestWithdraw(address(0xF00), 1);
    }

    function test_rebinding_againRestartsTheDelay() public {
        vm.prank(payer);
        vault.setRelayer(address(token), 8);
        vm.warp(START + 23 hours);
        vm.prank(payer);
        vault.setRelayer(address(token), 9);
        vm.warp(START + 24 hours);
        vm.expectRevert(abi.encodeWithSelector(IVault.TooEarly.selector, START + 24 hours, START + 47 hours));
        vault.applyRelayer(payer, address(token));
        vm.warp(START + 47 hours);
        vault.applyRelayer(payer, address(token));
        vm.assertEq(vault.accountOf(payer, address(token)).relayerId, 9, "the last asked for");
    }

    // The relayer's finalizer learns of a dropped rebind from this event alone.
    function test_rebinding_droppedSaysSo() public {
        vm.prank(payer);
        vault.setRelayer(address(token), 8);
        vm.expectEmit(address(vault));
        emit IVault.RelayerBound(payer, address(token), RELAYER_ID);
        vm.prank(payer);
        vault.setRelayer(address(token), RELAYER_ID);
    }

    function test_isNonceUsed_atBothEdgesOfTheWindow() public {
        _settleOne(_payment(UNIT, 64));
        _settleOne(_payment(UNIT, 62));
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 62), "2 below: used");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 63), "1 below: open");
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 0), "64 below: out of the window");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 1), "63 below: open");
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 64), "the top");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 65), "above");
    }

    function test_cancels_atBothEdgesOfTheirTime() public {
        BatchParts memory b = _batch(0, 2);
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp);
        b.cancels[1] = _signCancel(PAYER_KEY, 6, block.timestamp + 12 hours);
        vm.assertEq(_settle(b), hex"03", "this second, and twelve hours");
        b = _batch(0, 1);
        b.cancels[0] = _signCancel(PAYER_KEY, 7, block.timestamp + 12 hours + 1);
        vm.assertEq(_settle(b), hex"00", "a second more");
    }

    function test_overdue_atTheVeryLimitOfTheDeadline() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = START + 601 + 12 hours;
        bytes memory call = _overdue(p, START + 601, START + 600, START, START + 1 hours);
        vm.warp(START + 601);
        vm.assertTrue(_try(call), "just in reach");
    }

    // Nothing but the key says when it accepted, so that a time to come must not stretch the reach of a deadline.
    function test_overdue_acceptedInTheFutureReachesNoFurther() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = START + 601 + 12 hours + 1;
        bytes memory call = _overdue(p, START + 1 hours, START + 600, START, START + 2 hours);
        vm.warp(START + 601);
        vm.prank(stranger);
        (bool done, bytes memory answer) = address(vault).call(call);
        vm.assertFalse(done, "settled");
        bytes memory why = abi.encodeWithSelector(IVault.DeadlineTooFar.selector, p.deadline, START + 601 + 12 hours);
        vm.assertEq(answer, why, "why");
    }

    function test_overdue_obeysThePayoutThreshold() public {
        vm.prank(owner);
        vault.listToken(address(token), 1, uint96(2 * UNIT));
        bytes memory call = _overdue(_payment(UNIT, 1), START, START + 600, START, START + 1 hours);
        vm.warp(START + 601);
        vm.assertTrue(_try(call), "settled");
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "credited");
    }

    function test_listing_againOpensDeposits() public {
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.prank(owner);
        vault.listToken(address(token), 1, 0);
        _deposit(payer, UNIT);
    }

    // 4 x 10^38 does not fit the balance's 128 bits; the signature covers the whole product, or the truncated one.
    function test_settle_neverTruncatesAScaledAmount() public {
        DemoToken huge = new DemoToken("Huge", "HUGE", 38);
        vm.prank(owner);
        vault.listToken(address(huge), 1e38, 0);
        token = huge;
        _deposit(payer, 3e38);
        IVault.Payment memory p = _payment(4e38, 1);
        SignedPayment memory signed = _sign(p, PAYER_KEY);
        signed.units = 4;
        vm.assertFalse(_tookEffect(_batchOf(signed)), "more than the field holds");
        p.amount = 4e38 - 2 ** 128;
        signed = _sign(p, PAYER_KEY);
        signed.units = 4;
        vm.assertFalse(_tookEffect(_batchOf(signed)), "truncated to 128 bits");
        p.amount = 3e38;
        signed = _sign(p, PAYER_KEY);
        signed.units = 3;
        vm.assertTrue(_tookEffect(_batchOf(signed)), "what it holds");
        vm.assertEq(_balance(), 0, "payer");
    }

    // The token needs all of PAYOUT_GAS: with any gas at all, it is paid or the batch reverts.
    function test_payout_getsAllItsGasOrTheBatchReverts() public {
        _use(address(new PickyToken()));
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        _assertNeverStarved(blob);
    }

    function _sendWith(bytes calldata blob, uint256 gasAmount) internal override returns (Outcome) {
        vm.prank(sender);
        (bool done, ) = address(vault).call{gas: gasAmount}(abi.encodeCall(vault.settle, (blob)));
        if (!done) return Outcome.Reverted;
        return vault.credit(payee, address(token)) == 0 ? Outcome.Fed : Outcome.Starved;
    }

    function test_deposit_toTheLastUnitOfTheField_andPaysFromAllOfIt() public {
        _deposit(payer, type(uint128).max - 1_000 * UNIT);
        vm.assertEq(_balance(), type(uint128).max, "full");
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "took effect");
        _deposit(payer, UNIT);
        // Nothing but the top bit of the balance: a mask one bit too short sees zero.
        vm.prank(payer);
        vault.requestWithdraw(address(token), (1 << 127) - 1);
        vm.warp(START + 24 hours);
        vm.prank(payer);
        vault.withdraw(address(token));
        vm.assertEq(_balance(), 1 << 127, "one bit");
        vm.assertTrue(_settleOne(_payment(UNIT, 2)), "took effect");
        vm.assertEq(_balance(), (1 << 127) - UNIT, "rest");
    }
}
