// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BlocklistToken} from "../../contracts/test/HostileTokens.sol";
import {ChainedParts, ChainedReference, SignedRun} from "./base/ChainedReference.sol";
import {ChainedTest} from "./base/ChainedTest.sol";
import {vm} from "./base/Vm.sol";

contract SettleChainedTest is ChainedTest {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    /// Of `_chained` in Books: after two of EIP712, two of Ownable2Step, and `_accounts`.
    uint256 private constant CHAINED_SLOT = 5;

    function test_succeeds_withOneSignatureForAWholeRun() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 5), PAYER_KEY);
        ChainedParts memory b = _oneRun(run);
        vm.expectEmit(address(vault));
        emit IVault.ChainedBatchSettled(b.anchor, address(token), RELAYER_ID, 1, 5, hex"01");
        vm.assertEq(_settleChained(b), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        IVault.ChainedAccount memory account = _chained(payer);
        vm.assertEq(account.balance, 995 * UNIT, "payer");
        vm.assertEq(account.sequence, 5, "sequence");
        vm.assertEq(bytes32(account.head), bytes32(ChainedReference.link(run.payments[4], 1)), "head");
        vm.assertEq(account.relayerId, RELAYER_ID, "the rest of the word is untouched");
        vm.assertEq(_balance(), 1_000 * UNIT, "the independent account is another");
    }

    function test_succeeds_goingOnFromTheHead() public {
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 3), PAYER_KEY)), "first run");
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 1), PAYER_KEY)), "second run");
        vm.assertEq(_chained(payer).sequence, 4, "sequence");
    }

    // Every payment of a chain is signed, so a relayer may cut it anywhere.
    function test_succeeds_withAChainInTwoRunsOfOneBatch() public {
        SignedRun memory whole = _run(PAYER_KEY, 3);
        SignedRun[] memory runs = new SignedRun[](2);
        (runs[0], runs[1]) = (_run(PAYER_KEY, 2), _run(PAYER_KEY, 1));
        (runs[0].payments[0], runs[0].payments[1]) = (whole.payments[0], whole.payments[1]);
        runs[1].payments[0] = whole.payments[2];
        _signRun(runs[0], PAYER_KEY);
        _signRun(runs[1], PAYER_KEY);
        vm.assertEq(_settleChained(_chainedBatch(runs)), hex"03", "both");
        vm.assertEq(_chained(payer).sequence, 3, "sequence");
    }

    function test_succeeds_withoutRuns() public {
        vm.assertEq(_settleChained(_chainedBatch(new SignedRun[](0))).length, 0, "no bits");
    }

    function test_succeeds_withTheSignedAmountScaled() public {
        DemoToken wide = new DemoToken("Wide", "WIDE", 18);
        vm.prank(owner);
        vault.listToken(address(wide), 1e12, 0);
        (token, scale) = (wide, 1e12);
        _depositChained(payer, 10e18);
        SignedRun memory run = _run(PAYER_KEY, 2);
        (run.payments[0].amount, run.payments[1].amount) = (3e18, 4.5e18);
        _chain(run);
        vm.assertTrue(_runTookEffect(_signRun(run, PAYER_KEY)), "took effect");
        vm.assertEq(wide.balanceOf(payee), 7.5e18, "payee");
        vm.assertEq(_chained(payer).balance, 2.5e18, "payer");
    }

    // Finding 6: the failed run's payments leave the totals again, whichever payee they were for.
    function test_succeeds_aroundABadRun() public {
        _depositChained(vm.addr(OTHER_KEY), 10 * UNIT);
        SignedRun[] memory runs = new SignedRun[](3);
        runs[0] = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        runs[1] = _run(OTHER_KEY, 3);
        runs[1].payments[1].payee = otherPayee;
        runs[1].payeeIndexes[1] = 1;
        _chain(runs[1]);
        _signRun(runs[1], PAYER_KEY);
        runs[2] = _run(PAYER_KEY, 1);
        _chainFrom(runs[2], 2, ChainedReference.link(runs[0].payments[1], 1));
        _signRun(runs[2], PAYER_KEY);
        ChainedParts memory b = _chainedBatch(runs);
        b.payees = new address[](2);
        (b.payees[0], b.payees[1]) = (payee, otherPayee);
        vm.assertEq(_settleChained(b), hex"05", "first and third");
        vm.assertEq(token.balanceOf(payee), 3 * UNIT, "payee");
        vm.assertEq(token.balanceOf(otherPayee), 0, "other payee");
        vm.assertEq(_chained(vm.addr(OTHER_KEY)).balance, 10 * UNIT, "other payer");
        vm.assertEq(_chained(vm.addr(OTHER_KEY)).sequence, 0, "other sequence");
    }

    function test_succeeds_withMoreThanEightRuns() public {
        SignedRun[] memory runs = new SignedRun[](10);
        bytes16 head;
        for (uint256 i = 0; i < 10; i++) {
            runs[i] = _run(PAYER_KEY, 1);
            _chainFrom(runs[i], i, head);
            head = ChainedReference.link(runs[i].payments[0], 1);
            _signRun(runs[i], PAYER_KEY);
        }
        runs[9].r = 0;
        vm.assertEq(_settleChained(_chainedBatch(runs)), hex"ff01", "all but the last");
    }

    function test_ignores_aRunWhenAnythingDiffersFromWhatWasSigned(uint8 field, uint8 which) public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 4), PAYER_KEY);
        _depositChained(vm.addr(OTHER_KEY), 10 * UNIT);
        IVault.ChainedPayment memory p = run.payments[which % 4];
        field = uint8(field % 8);
        if (field == 0) run.r = bytes32(uint256(run.r) ^ 1);
        if (field == 1) run.vs = bytes32(uint256(run.vs) ^ (1 << 255));
        if (field == 2) p.amount += 1;
        if (field == 3) p.deadline += 1;
        if (field == 4) p.orderRef = bytes8(uint64(p.orderRef) ^ 1);
        if (field == 5) run.payeeIndexes[which % 4] = 1;
        // Finding 1: the payer is part of what is signed.
        if (field == 6) run.payer = vm.addr(OTHER_KEY);
        if (field == 7) (run.payments[0], run.payments[1]) = (run.payments[1], run.payments[0]);
        ChainedParts memory b = _oneRun(run);
        b.payees = new address[](2);
        (b.payees[0], b.payees[1]) = (payee, otherPayee);
        vm.assertEq(_settleChained(b), hex"00", "took effect");
        vm.assertEq(token.balanceOf(payee) + token.balanceOf(otherPayee), 0, "payees");
        vm.assertEq(_chained(payer).sequence, 0, "sequence");
        vm.assertEq(bytes32(_chained(payer).head), 0, "head");
    }

    function test_ignores_aRunThatLeavesOutAPayment() public {
        SignedRun memory whole = _run(PAYER_KEY, 3);
        SignedRun memory cut = _run(PAYER_KEY, 2);
        (cut.payments[0], cut.payments[1]) = (whole.payments[0], whole.payments[2]);
        vm.assertFalse(_runTookEffect(_signRun(cut, PAYER_KEY)), "took effect");
    }

    function test_ignores_aRunThatWasSettledBefore() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        vm.assertTrue(_runTookEffect(run), "first");
        vm.assertFalse(_runTookEffect(run), "again");
        vm.assertEq(token.balanceOf(payee), 2 * UNIT, "payee");
    }

    // The right head with the wrong sequence: the signature covers both.
    function test_ignores_aRunWithAnotherSequence() public {
        SignedRun memory run = _run(PAYER_KEY, 2);
        _chainFrom(run, 1, 0);
        vm.assertFalse(_runTookEffect(_signRun(run, PAYER_KEY)), "took effect");
    }

    function test_ignores_aRunBeyondTheLastSequence() public {
        // Sequence 2^24 - 2, by hand: no test can settle so many.
        bytes32 slot = keccak256(abi.encode(payer, keccak256(abi.encode(address(token), CHAINED_SLOT))));
        uint256 word = (uint256(RELAYER_ID) << 88) | (uint256(type(uint24).max - 1) << 104) | (10 * UNIT);
        vm.store(address(vault), slot, bytes32(word));
        vm.assertEq(_chained(payer).sequence, type(uint24).max - 1, "the slot is the account's");
        vm.assertFalse(_runTookEffect(_signRun(_run(PAYER_KEY, 2), PAYER_KEY)), "one beyond");
        // The sequence as 24 bits would have it: a payer who signs that must not reach the head beside it.
        SignedRun memory wrapped = _run(PAYER_KEY, 2);
        wrapped.payments[1].sequence = 0;
        vm.assertFalse(_runTookEffect(_signRun(wrapped, PAYER_KEY)), "wrapped");
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 1), PAYER_KEY)), "the last");
        vm.assertEq(_chained(payer).sequence, type(uint24).max, "sequence");
    }

    function test_ignores_theHighTwinOfASignature() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        uint256 twin = CURVE_ORDER - (uint256(run.vs) & (type(uint256).max >> 1));
        for (uint256 parity = 0; parity < 2; parity++) {
            run.vs = bytes32((twin & (type(uint256).max >> 1)) | (parity << 255));
            vm.assertFalse(_runTookEffect(run), "took effect");
        }
    }

    function test_ignores_anInvalidSignatureAfterAValidOne() public {
        SignedRun[] memory runs = new SignedRun[](2);
        runs[0] = _signRun(_run(PAYER_KEY, 1), PAYER_KEY);
        runs[1] = _run(PAYER_KEY, 1);
        _chainFrom(runs[1], 1, ChainedReference.link(runs[0].payments[0], 1));
        vm.assertEq(_settleChained(_chainedBatch(runs)), hex"01", "only the first");
    }

    function test_ignores_thePayerZero() public {
        vm.prank(address(0));
        vault.setRelayerChained(address(token), RELAYER_ID);
        bytes32 slot = keccak256(abi.encode(address(0), keccak256(abi.encode(address(token), CHAINED_SLOT))));
        vm.store(address(vault), slot, bytes32((uint256(RELAYER_ID) << 88) | UNIT));
        SignedRun memory run = _run(PAYER_KEY, 1);
        run.payer = address(0);
        vm.assertFalse(_runTookEffect(run), "took effect");
    }

    function test_ignores_aRunWithOneDeadlineThatHasPassed(uint8 which) public {
        SignedRun memory run = _run(PAYER_KEY, 3);
        run.payments[which % 3].deadline = block.timestamp + 60;
        _chain(run);
        ChainedParts memory b = _oneRun(_signRun(run, PAYER_KEY));
        vm.warp(block.timestamp + 61);
        vm.assertEq(_settleChained(b), hex"00", "a second late");
        vm.warp(block.timestamp - 1);
        vm.assertEq(_settleChained(b), hex"01", "at the very second");
    }

    function test_ignores_aRunWithOneDeadlineMoreThanTwelveHoursAhead(uint8 which) public {
        SignedRun memory run = _run(PAYER_KEY, 3);
        run.payments[which % 3].deadline = block.timestamp + 12 hours + 1;
        _chain(run);
        ChainedParts memory b = _oneRun(_signRun(run, PAYER_KEY));
        vm.assertEq(_settleChained(b), hex"00", "a second too far");
        vm.warp(block.timestamp + 1);
        vm.assertEq(_settleChained(b), hex"01", "just in reach");
    }

    function test_ignores_aRunWithAnAmountOfZero(uint8 which) public {
        SignedRun memory run = _run(PAYER_KEY, 3);
        run.payments[which % 3].amount = 0;
        _chain(run);
        vm.assertFalse(_runTookEffect(_signRun(run, PAYER_KEY)), "took effect");
    }

    function test_ignores_moreThanTheBalance() public {
        SignedRun memory run = _run(PAYER_KEY, 2);
        run.payments[1].amount = 999 * UNIT + 1;
        _chain(run);
        vm.assertFalse(_runTookEffect(_signRun(run, PAYER_KEY)), "one unit short");
        run.payments[1].amount = 999 * UNIT;
        _chain(run);
        vm.assertTrue(_runTookEffect(_signRun(run, PAYER_KEY)), "to the last unit");
        vm.assertEq(_chained(payer).balance, 0, "payer");
        vm.assertEq(_chained(payer).relayerId, RELAYER_ID, "the rest of the word is untouched");
    }

    // Finding 5.
    function test_ignores_anAccountOfAnotherRelayer() public {
        vm.prank(owner);
        vault.addRelayer(stranger, RELAYER_ID + 1);
        bytes memory blob = ChainedReference.encode(_oneRun(_signRun(_run(PAYER_KEY, 1), PAYER_KEY)));
        vm.prank(stranger);
        vm.assertEq(vault.settleChained(blob), hex"00", "took effect");
    }

    // A relayer id above 2^16 must not pass for the bound one by its low bits.
    function test_ignores_aRelayerWhoseIdHasTheSameLowBits() public {
        vm.prank(owner);
        vault.addRelayer(stranger, RELAYER_ID + 65_536);
        bytes memory blob = ChainedReference.encode(_oneRun(_signRun(_run(PAYER_KEY, 1), PAYER_KEY)));
        vm.prank(stranger);
        vm.assertEq(vault.settleChained(blob), hex"00", "took effect");
    }

    function test_ignores_aSignatureOfTheOtherMode() public {
        SignedRun memory run = _run(PAYER_KEY, 1);
        (run.r, run.vs) = _compact(PAYER_KEY, _digest(_payment(UNIT, 1)));
        vm.assertFalse(_runTookEffect(run), "took effect");
    }

    function test_ignores_aSignatureForAnotherChain() public {
        ChainedParts memory b = _oneRun(_signRun(_run(PAYER_KEY, 1), PAYER_KEY));
        vm.chainId(block.chainid + 1);
        vm.assertEq(_settleChained(b), hex"00", "took effect");
    }

    // Finding 8.
    function test_credits_aPayeeThatTheTokenBlocks() public {
        BlocklistToken blocklist = new BlocklistToken();
        _use(address(blocklist));
        _depositChained(payer, 10 * UNIT);
        blocklist.setBlocked(payee, true);
        vm.assertTrue(_runTookEffect(_signRun(_run(PAYER_KEY, 2), PAYER_KEY)), "took effect");
        vm.assertEq(vault.credit(payee, address(token)), 2 * UNIT, "credited");
    }

    // Finding 2.
    function test_neverTurnsALackOfGasIntoAFailedRun(uint256 gasAmount) public {
        bytes memory blob = ChainedReference.encode(_oneRun(_signRun(_run(PAYER_KEY, 2), PAYER_KEY)));
        gasAmount = 20_000 + (gasAmount % 330_000);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call{gas: gasAmount}(
            abi.encodeCall(vault.settleChained, (blob))
        );
        if (!done) return;
        vm.assertEq(abi.decode(answer, (bytes)), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), 2 * UNIT, "paid, not credited");
    }

    function test_reverts_whenTheSenderIsNoRelayer() public {
        bytes memory blob = ChainedReference.encode(_chainedBatch(new SignedRun[](0)));
        vm.expectRevert(abi.encodeWithSelector(IVault.NotRelayer.selector, stranger));
        vm.prank(stranger);
        vault.settleChained(blob);
    }

    function test_reverts_whenPaused() public {
        vm.prank(guardian);
        vault.pause();
        ChainedParts memory b = _chainedBatch(new SignedRun[](0));
        vm.expectRevert(abi.encodeWithSelector(IVault.IsPaused.selector, START, START + 2 hours));
        _settleChained(b);
    }

    function test_reverts_whenTheTokenWasNeverListed() public {
        ChainedParts memory b = _chainedBatch(new SignedRun[](0));
        b.token = stranger;
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenUnknown.selector, stranger));
        _settleChained(b);
    }

    function test_reverts_whenAPayeeCannotBePaid() public {
        address[3] memory bad = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < bad.length; i++) {
            ChainedParts memory b = _chainedBatch(new SignedRun[](0));
            b.payees[0] = bad[i];
            vm.expectRevert(abi.encodeWithSelector(IVault.BadPayee.selector, bad[i]));
            _settleChained(b);
        }
    }

    // Finding 10, from here on.
    function test_reverts_whenTheVersionIsUnknown(uint8 version) public {
        vm.assume(version != 3);
        ChainedParts memory b = _chainedBatch(new SignedRun[](0));
        b.version = version;
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("version"), version, 3));
        _settleChained(b);
    }

    function test_reverts_whenTheLengthIsNotExact(uint16 length) public {
        bytes memory exact = ChainedReference.encode(_oneRun(_signRun(_run(PAYER_KEY, 3), PAYER_KEY)));
        uint256 given = length % 400;
        if (given == exact.length) given++;
        bytes memory blob = new bytes(given);
        for (uint256 i = 0; i < given && i < exact.length; i++) blob[i] = exact[i];
        uint256 expected = given < 64 ? 64 : exact.length;
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), given, expected));
        vm.prank(sender);
        vault.settleChained(blob);
    }

    function test_reverts_whenAPayeeIndexIsOutOfRange(uint16 index) public {
        vm.assume(index >= 1);
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        run.payeeIndexes[1] = index;
        ChainedParts memory b = _oneRun(run);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("payee index"), index, 1));
        _settleChained(b);
    }

    function test_reverts_whenARunIsEmpty() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        run.count = 0;
        ChainedParts memory b = _oneRun(run);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("run"), 0, 2));
        _settleChained(b);
    }

    function test_reverts_whenARunReachesBeyondTheBatch(uint16 count) public {
        vm.assume(count > 2);
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        run.count = count;
        ChainedParts memory b = _oneRun(run);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("run"), count, 2));
        _settleChained(b);
    }

    function test_reverts_whenTheRunsLeavePaymentsOver() public {
        SignedRun memory run = _signRun(_run(PAYER_KEY, 2), PAYER_KEY);
        run.count = 1;
        ChainedParts memory b = _oneRun(run);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("payments"), 1, 2));
        _settleChained(b);
    }

    // Random payments, deadlines, payees and balance, judged by the rules written down plainly.
    function test_succeeds_orFailsByTheRulesForAnyRun(uint256 seed) public {
        SignedRun memory run = _run(PAYER_KEY, uint16(1 + (seed % 6)));
        bool isGood = true;
        uint256[2] memory owed;
        uint256 sum;
        for (uint256 i = 0; i < run.payments.length; i++) {
            seed = uint256(keccak256(abi.encode(seed)));
            IVault.ChainedPayment memory p = run.payments[i];
            p.amount = seed % 400 < 8 ? 0 : (seed >> 32) % (250 * UNIT);
            uint256 ahead = (seed >> 64) % 16 == 0 ? 12 hours + 1 : (seed >> 80) % 12 hours;
            p.deadline = block.timestamp + ahead;
            p.orderRef = bytes8(uint64(seed >> 128));
            run.payeeIndexes[i] = uint16((seed >> 96) % 2);
            p.payee = run.payeeIndexes[i] == 0 ? payee : otherPayee;
            sum += p.amount;
            owed[run.payeeIndexes[i]] += p.amount;
            isGood = isGood && p.amount > 0 && ahead <= 12 hours;
        }
        isGood = isGood && sum <= 1_000 * UNIT;
        _chain(run);
        ChainedParts memory b = _oneRun(_signRun(run, PAYER_KEY));
        b.payees = new address[](2);
        (b.payees[0], b.payees[1]) = (payee, otherPayee);
        vm.assertEq(_settleChained(b), isGood ? bytes(hex"01") : bytes(hex"00"), "took effect");
        vm.assertEq(_chained(payer).balance, 1_000 * UNIT - (isGood ? sum : 0), "payer");
        vm.assertEq(token.balanceOf(payee), isGood ? owed[0] : 0, "payee");
        vm.assertEq(token.balanceOf(otherPayee), isGood ? owed[1] : 0, "other payee");
    }
}
