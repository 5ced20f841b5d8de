// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {
    BlocklistToken,
    GasBurnerToken,
    HungryToken,
    ReentrantToken,
    RefusingToken,
    ReturnBombToken,
    SilentToken
} from "../../contracts/test/HostileTokens.sol";
import {BatchParts, PackedReference} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// How `settle` pays its payees, with tokens that misbehave.
contract PayoutTest is VaultTest {
    /// One unit to `payee`, two to `otherPayee`.
    function _twoPayees() internal view returns (BatchParts memory b) {
        b = _batch(2, 0);
        b.payees = new address[](2);
        (b.payees[0], b.payees[1]) = (payee, otherPayee);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        IVault.Payment memory p = _payment(2 * UNIT, 2);
        p.payee = otherPayee;
        b.payments[1] = _sign(p, PAYER_KEY);
        b.payments[1].payeeIndex = 1;
    }

    function _expectFirstCreditedSecondPaid() internal {
        BatchParts memory b = _twoPayees();
        vm.expectEmit(address(vault));
        emit IVault.Credited(payee, address(token), UNIT);
        vm.assertEq(_settle(b), hex"03", "both took effect");
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "first is credited");
        vm.assertEq(token.balanceOf(otherPayee), 2 * UNIT, "second is paid");
        vm.assertEq(vault.credit(otherPayee, address(token)), 0, "second is not credited");
    }

    function test_succeeds_withATokenThatAnswersNothing() public {
        _use(address(new SilentToken()));
        _settle(_twoPayees());
        vm.assertEq(token.balanceOf(payee), UNIT, "paid");
        vm.assertEq(vault.credit(payee, address(token)), 0, "not credited");
    }

    function test_credits_whenTheTokenAnswersAnythingButOne() public {
        RefusingToken refusing = new RefusingToken();
        _use(address(refusing));
        bytes[6] memory answers = [
            abi.encode(false),
            abi.encode(uint256(2)),
            abi.encode(type(uint256).max),
            bytes(hex"01"),
            bytes(hex"00000000000000000000000000000000000000000000000000000000000001"),
            abi.encodePacked(uint256(0), uint256(1))
        ];
        for (uint256 i = 0; i < answers.length; i++) {
            refusing.setAnswer(answers[i]);
            vm.assertTrue(_settleOne(_payment(UNIT, i)), "took effect");
            vm.assertEq(vault.credit(payee, address(token)), (i + 1) * UNIT, "credited");
        }
    }

    // 31 zero bytes over an old word that ends in 1, as the address of this token does, read as 1.
    function test_credits_whenOldMemoryWouldCompleteAShortAnswer() public {
        address place = address(0xabcdef01);
        vm.etch(place, address(new RefusingToken()).code);
        _use(place);
        RefusingToken(place).setAnswer(new bytes(31));
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "took effect");
        vm.assertEq(vault.credit(payee, place), UNIT, "credited");
    }

    function test_succeeds_whenTheAnswerIsLongerThanAWord() public {
        RefusingToken polite = new RefusingToken();
        _use(address(polite));
        polite.setAnswer(abi.encodePacked(uint256(1), uint256(0)));
        _settleOne(_payment(UNIT, 1));
        vm.assertEq(vault.credit(payee, address(token)), 0, "counts as paid");
    }

    // Finding 8.
    function test_credits_aPayeeThatTheTokenBlocksAndPaysTheOthers() public {
        BlocklistToken blocklist = new BlocklistToken();
        _use(address(blocklist));
        blocklist.setBlocked(payee, true);
        _expectFirstCreditedSecondPaid();
    }

    // Finding 2.
    function test_credits_whenTheTokenBurnsItsGas() public {
        GasBurnerToken burner = new GasBurnerToken();
        _use(address(burner));
        burner.setBurnsFor(payee);
        uint256 before = gasleft();
        _expectFirstCreditedSecondPaid();
        vm.assertLe(before - gasleft(), 1_000_000, "the cap holds");
    }

    // Finding 2: what the bomb returns would cost 200,000 gas to copy.
    function test_credits_whenTheTokenReturnsABomb() public {
        ReturnBombToken bomb = new ReturnBombToken();
        _use(address(bomb));
        BatchParts memory b = _batchOf(_sign(_payment(UNIT, 1), PAYER_KEY));
        bytes memory blob = PackedReference.encode(b);
        bomb.arm();
        vm.prank(sender);
        vm.assertEq(vault.settle{gas: 380_000}(blob), hex"01", "took effect");
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "credited");
    }

    // Finding 8: a call to an address without code "succeeds".
    function test_credits_whenTheTokenHasNoCodeAnyMore() public {
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        vm.etch(address(token), "");
        vm.assertEq(_settleBlob(blob), hex"01", "took effect");
        vm.assertEq(vault.credit(payee, address(token)), UNIT, "credited");
    }

    function test_credits_belowThePayoutThreshold() public {
        vm.prank(owner);
        vault.listToken(address(token), 1, uint96(UNIT + 1));
        _expectFirstCreditedSecondPaid();
    }

    function test_succeeds_whenTheBatchTotalReachesThePayoutThreshold() public {
        vm.prank(owner);
        vault.listToken(address(token), 1, uint96(2 * UNIT));
        BatchParts memory b = _batch(2, 0);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        b.payments[1] = _sign(_payment(UNIT, 2), PAYER_KEY);
        _settle(b);
        vm.assertEq(token.balanceOf(payee), 2 * UNIT, "paid");
    }

    // Finding 2: the token needs 180,000 gas, which the cap grants. A sender that leaves less must not turn that into
    // a credit: the batch reverts instead.
    function test_reverts_orPaysButNeverStarvesAPayee(uint256 gasAmount) public {
        HungryToken hungry = new HungryToken();
        _use(address(hungry));
        hungry.setAppetite(150_000);
        bytes memory blob = PackedReference.encode(_twoPayees());
        gasAmount = 100_000 + (gasAmount % 600_000);
        vm.prank(sender);
        (bool done, ) = address(vault).call{gas: gasAmount}(abi.encodeCall(vault.settle, (blob)));
        vm.assertEq(token.balanceOf(payee), done ? UNIT : 0, "first");
        vm.assertEq(token.balanceOf(otherPayee), done ? 2 * UNIT : 0, "second");
    }

    function test_reverts_whenTheGasBeforeAPayoutIsShort() public {
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call{gas: 150_000}(abi.encodeCall(vault.settle, (blob)));
        vm.assertFalse(done, "done");
        vm.assertEq(bytes32(bytes4(answer)), bytes32(IVault.GasShort.selector), "GasShort");
        // 200,000 x 64 / 63, and 5,000 for the way there.
        vm.assertEq(PackedReference.number(answer, 36, 32), 208_174, "needed");
        vm.assertLe(PackedReference.number(answer, 4, 32), 150_000, "available");
    }

    function test_reverts_everyReentryDuringAPayout() public {
        ReentrantToken reentrant = new ReentrantToken();
        _use(address(reentrant));
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 2), PAYER_KEY)));
        IVault.Payment memory p;
        IVault.Acknowledgement memory ack;
        IVault.AcknowledgementKey memory key;
        bytes[6] memory calls = [
            abi.encodeCall(vault.settle, (blob)),
            abi.encodeCall(vault.settleOverdue, (p, "", ack, new bytes32[](0), "", key, "")),
            abi.encodeCall(vault.claim, (payee, address(token))),
            abi.encodeCall(vault.claimTo, (address(token), payee)),
            abi.encodeCall(vault.deposit, (address(token), 1, RELAYER_ID)),
            abi.encodeCall(vault.withdraw, (address(token)))
        ];
        // A sender's rights make the token itself the strongest attacker.
        vm.prank(owner);
        vault.addRelayer(address(reentrant), RELAYER_ID);
        for (uint256 i = 0; i < calls.length; i++) {
            reentrant.setCall(address(vault), calls[i]);
            vm.assertTrue(_settleOne(_payment(UNIT, 10 + i)), "took effect");
            vm.assertEq(
                bytes32(bytes4(reentrant.answer())),
                bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
                "locked"
            );
        }
    }
}
