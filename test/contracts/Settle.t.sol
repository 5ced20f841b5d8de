// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BatchParts, PackedReference, SignedCancel, SignedPayment} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

contract SettleTest is VaultTest {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant S_MASK = type(uint256).max >> 1;
    uint256 private constant OTHER_KEY = 0xB0B;
    uint32 private constant OTHER_RELAYER_ID = 8;

    function test_succeeds_andPaysThePayee() public {
        vm.assertTrue(_settleOne(_payment(5 * UNIT, 1)), "took effect");
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        vm.assertEq(_balance(), 995 * UNIT, "payer");
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 1), "nonce");
    }

    function test_succeeds_andSaysSoInOneEvent() public {
        BatchParts memory b = _batchOf(_sign(_payment(5 * UNIT, 1), PAYER_KEY));
        vm.expectEmit(address(vault));
        emit IVault.BatchSettled(b.anchor, address(token), RELAYER_ID, 1, 0, hex"01");
        _settle(b);
    }

    function test_succeeds_withoutRecords() public {
        BatchParts memory b = _batch(0, 0);
        vm.assertEq(_settle(b).length, 0, "no bits");
    }

    function test_succeeds_whenTheTokenIsDelisted() public {
        vm.prank(owner);
        vault.delistToken(address(token));
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "took effect");
    }

    function test_succeeds_forEverySenderOfTheRelayer() public {
        address lane = address(0x1A4E);
        vm.prank(owner);
        vault.addRelayer(lane, RELAYER_ID);
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        vm.prank(lane);
        vm.assertEq(vault.settle(blob), hex"01", "took effect");
    }

    function test_succeeds_withTheSignedAmountScaled() public {
        DemoToken wide = new DemoToken("Wide", "WIDE", 18);
        vm.prank(owner);
        vault.listToken(address(wide), 1e12, 0);
        token = wide;
        _deposit(payer, 10e18);
        IVault.Payment memory p = _payment(3_500_000 * 1e12, 1);
        SignedPayment memory signed = _sign(p, PAYER_KEY);
        signed.units = 3_500_000;
        vm.assertTrue(_tookEffect(_batchOf(signed)), "took effect");
        vm.assertEq(wide.balanceOf(payee), 3.5e18, "payee");
    }

    // A payer's payments in one batch draw on the same balance, in order.
    function test_succeeds_forManyPaymentsOfOnePayer() public {
        BatchParts memory b = _batch(4, 0);
        b.payments[0] = _sign(_payment(600 * UNIT, 3), PAYER_KEY);
        b.payments[1] = _sign(_payment(500 * UNIT, 2), PAYER_KEY);
        b.payments[2] = _sign(_payment(400 * UNIT, 1), PAYER_KEY);
        b.payments[3] = b.payments[0];
        vm.assertEq(_settle(b), hex"05", "the second is short of money, the fourth is the first again");
        vm.assertEq(_balance(), 0, "payer");
        vm.assertEq(token.balanceOf(payee), 1_000 * UNIT, "payee");
    }

    // Finding 6.
    function test_succeeds_aroundABadRecord() public {
        BatchParts memory b = _batch(10, 1);
        for (uint256 i = 0; i < 10; i++) b.payments[i] = _sign(_payment(UNIT, i), PAYER_KEY);
        b.payments[1].units += 1;
        b.payments[8].r = 0;
        b.cancels[0] = _signCancel(PAYER_KEY, 20, block.timestamp + 60);
        vm.assertEq(_settle(b), hex"fd06", "bits 1 and 8 are clear, bit 10 is the cancel");
        vm.assertEq(token.balanceOf(payee), 8 * UNIT, "payee");
    }

    function test_succeeds_forSeveralPayeesAndSkipsAnUnpaidOne() public {
        BatchParts memory b = _batch(2, 0);
        b.payees = new address[](3);
        (b.payees[0], b.payees[1], b.payees[2]) = (payee, stranger, otherPayee);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        IVault.Payment memory p = _payment(2 * UNIT, 2);
        p.payee = otherPayee;
        b.payments[1] = _sign(p, PAYER_KEY);
        b.payments[1].payeeIndex = 2;
        vm.assertEq(_settle(b), hex"03", "both");
        vm.assertEq(token.balanceOf(payee), UNIT, "first");
        vm.assertEq(token.balanceOf(stranger), 0, "second");
        vm.assertEq(token.balanceOf(otherPayee), 2 * UNIT, "third");
    }

    function test_ignores_aRecordWhenAnyFieldDiffersFromWhatWasSigned(uint8 field) public {
        SignedPayment memory signed = _sign(_payment(UNIT, 1), PAYER_KEY);
        _deposit(vm.addr(OTHER_KEY), 10 * UNIT);
        IVault.Payment memory p = signed.payment;
        field = uint8(field % 7);
        if (field == 0) signed.r = bytes32(uint256(signed.r) ^ 1);
        if (field == 1) signed.vs = bytes32(uint256(signed.vs) ^ (1 << 255));
        if (field == 2) signed.units += 1;
        if (field == 3) p.nonce += 1;
        if (field == 4) p.deadline += 1;
        if (field == 5) p.orderRef = bytes8(uint64(p.orderRef) ^ 1);
        // Finding 1: the payer is part of what is signed.
        if (field == 6) p.payer = vm.addr(OTHER_KEY);
        vm.assertFalse(_tookEffect(_batchOf(signed)), "took effect");
        vm.assertEq(token.balanceOf(payee), 0, "payee");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 1), "the nonce is still open");
    }

    function test_ignores_aPaymentRedirectedToAnotherPayee() public {
        BatchParts memory b = _batchOf(_sign(_payment(UNIT, 1), PAYER_KEY));
        b.payees[0] = otherPayee;
        vm.assertFalse(_tookEffect(b), "took effect");
    }

    function test_ignores_aPaymentSignedForAnotherToken() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.token = address(0x7070);
        vm.assertFalse(_settleOne(p), "took effect");
    }

    // Finding 3.
    function test_ignores_theHighTwinOfASignature() public {
        SignedPayment memory signed = _sign(_payment(UNIT, 1), PAYER_KEY);
        uint256 vs = uint256(signed.vs);
        uint256 twin = CURVE_ORDER - (vs & S_MASK);
        uint8 v = vs >> 255 == 0 ? 28 : 27;
        vm.assertEq(ecrecover(_digest(signed.payment), v, signed.r, bytes32(twin)), payer, "the twin is valid");
        // In EIP-2098 a high s leaves no room for the parity unless its own top bit is clear: try both parities.
        signed.vs = bytes32((twin & S_MASK) | (uint256(v - 27) << 255));
        vm.assertFalse(_tookEffect(_batchOf(signed)), "took effect");
        signed.vs = bytes32((twin & S_MASK) | (uint256(28 - v) << 255));
        vm.assertFalse(_tookEffect(_batchOf(signed)), "took effect with the other parity");
    }

    // A failed ecrecover answers nothing; what stood in memory before must not pass for a signer.
    function test_ignores_anInvalidSignatureAfterAValidOne() public {
        BatchParts memory b = _batch(2, 0);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        b.payments[1] = _sign(_payment(UNIT, 2), PAYER_KEY);
        (b.payments[1].r, b.payments[1].vs) = (0, 0);
        vm.assertEq(_settle(b), hex"01", "only the first");
    }

    function test_ignores_thePayerZero() public {
        vm.prank(address(0));
        vault.setRelayer(address(token), RELAYER_ID);
        BatchParts memory b = _batch(1, 1);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        (b.payments[0].payment.payer, b.payments[0].r) = (address(0), 0);
        b.cancels[0] = _signCancel(PAYER_KEY, 1, block.timestamp);
        (b.cancels[0].payer, b.cancels[0].r) = (address(0), 0);
        vm.assertEq(_settle(b), hex"00", "neither");
    }

    function test_succeeds_atTheVerySecondOfTheDeadline() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = block.timestamp;
        vm.assertTrue(_settleOne(p), "took effect");
    }

    function test_ignores_aPaymentOneSecondAfterItsDeadline() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        SignedPayment memory signed = _sign(p, PAYER_KEY);
        BatchParts memory b = _batchOf(signed);
        vm.warp(p.deadline + 1);
        vm.assertFalse(_tookEffect(b), "took effect");
    }

    function test_ignores_aDeadlineMoreThanTwelveHoursAhead() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = block.timestamp + 12 hours + 1;
        vm.assertFalse(_settleOne(p), "one second too far");
        p.deadline = block.timestamp + 12 hours;
        vm.assertTrue(_settleOne(p), "just in reach");
    }

    // Finding 5.
    function test_ignores_anAccountOfAnotherRelayer() public {
        vm.prank(owner);
        vault.addRelayer(stranger, OTHER_RELAYER_ID);
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        vm.prank(stranger);
        vm.assertEq(vault.settle(blob), hex"00", "took effect");
        vm.assertEq(_balance(), 1_000 * UNIT, "payer");
    }

    function test_ignores_aUsedNonce() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        vm.assertTrue(_settleOne(p), "first");
        vm.assertFalse(_settleOne(p), "again");
        p.amount = 2 * UNIT;
        vm.assertFalse(_settleOne(p), "another payment with the same nonce");
    }

    // Finding 4.
    function test_ignores_aNonceThatWouldBurnTheWindow() public {
        vm.assertFalse(_settleOne(_payment(UNIT, 65)), "65 above a fresh account");
        vm.assertTrue(_settleOne(_payment(UNIT, 64)), "64 above");
        vm.assertFalse(_settleOne(_payment(UNIT, 129)), "65 above the top");
        vm.assertFalse(_settleOne(_payment(UNIT, 0)), "64 below the top");
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "63 below the top");
    }

    function test_succeeds_withEveryNonceOfAFreshAccountInAnyOrder() public {
        for (uint256 i = 0; i < 64; i++) {
            vm.assertTrue(_settleOne(_payment(UNIT, (i * 37) % 64)), "took effect");
        }
        vm.assertEq(vault.accountOf(payer, address(token)).window, type(uint64).max, "all used");
    }

    function test_ignores_moreThanTheBalance() public {
        vm.assertFalse(_settleOne(_payment(1_000 * UNIT + 1, 1)), "one unit short");
        vm.assertTrue(_settleOne(_payment(1_000 * UNIT, 1)), "to the last unit");
        vm.assertEq(vault.accountOf(payer, address(token)).relayerId, RELAYER_ID, "the rest of the word is untouched");
        vm.assertEq(vault.accountOf(payer, address(token)).topNonce, 1, "top");
    }

    function test_ignores_anAmountOfZero() public {
        vm.assertFalse(_settleOne(_payment(0, 1)), "took effect");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 1), "the nonce is still open");
    }

    function test_ignores_aSignatureForAnotherVaultOrChain() public {
        SignedPayment memory signed = _sign(_payment(UNIT, 1), PAYER_KEY);
        vm.chainId(block.chainid + 1);
        vm.assertFalse(_tookEffect(_batchOf(signed)), "after the chain forked away");
        vm.assertTrue(_settleOne(signed.payment), "signed anew for this chain");
    }

    function test_succeeds_burningTheNonceOfACancel() public {
        BatchParts memory b = _batch(0, 1);
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp + 60);
        vm.expectEmit(address(vault));
        emit IVault.BatchSettled(b.anchor, address(token), RELAYER_ID, 0, 1, hex"01");
        _settle(b);
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 5), "burnt");
        vm.assertEq(_balance(), 1_000 * UNIT, "no money moved");
        vm.assertFalse(_settleOne(_payment(UNIT, 5)), "the payment is dead");
        vm.assertEq(_settle(b), hex"00", "a nonce burns once");
    }

    function test_ignores_aCancelThatIsNotThePayers() public {
        BatchParts memory b = _batch(0, 1);
        b.cancels[0] = _signCancel(OTHER_KEY, 5, block.timestamp + 60);
        b.cancels[0].payer = payer;
        vm.assertEq(_settle(b), hex"00", "signed by another");
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp + 60);
        b.cancels[0].nonce = 6;
        vm.assertEq(_settle(b), hex"00", "for another nonce");
    }

    function test_ignores_aCancelOutOfTimeOrReach() public {
        BatchParts memory b = _batch(0, 3);
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp + 60);
        b.cancels[1] = _signCancel(PAYER_KEY, 6, block.timestamp + 12 hours + 62);
        b.cancels[2] = _signCancel(PAYER_KEY, 65, block.timestamp + 3600);
        vm.warp(block.timestamp + 61);
        vm.assertEq(_settle(b), hex"00", "expired, too far ahead, nonce out of reach");
    }

    function test_ignores_aCancelByAnotherRelayer() public {
        vm.prank(owner);
        vault.addRelayer(stranger, OTHER_RELAYER_ID);
        BatchParts memory b = _batch(0, 1);
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp + 60);
        bytes memory blob = PackedReference.encode(b);
        vm.prank(stranger);
        vm.assertEq(vault.settle(blob), hex"00", "took effect");
    }

    function test_reverts_whenTheSenderIsNoRelayer() public {
        bytes memory blob = PackedReference.encode(_batch(0, 0));
        vm.expectRevert(abi.encodeWithSelector(IVault.NotRelayer.selector, stranger));
        vm.prank(stranger);
        vault.settle(blob);
    }

    function test_reverts_whenTheSenderWasRemoved() public {
        bytes memory blob = PackedReference.encode(_batch(0, 0));
        vm.prank(guardian);
        vault.removeRelayer(sender);
        vm.expectRevert(abi.encodeWithSelector(IVault.NotRelayer.selector, sender));
        _settleBlob(blob);
    }

    function test_reverts_whenPaused() public {
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        vm.prank(guardian);
        vault.pause();
        vm.warp(START + 2 hours - 1);
        vm.expectRevert(abi.encodeWithSelector(IVault.IsPaused.selector, START + 2 hours - 1, START + 2 hours));
        _settleBlob(blob);
    }

    function test_reverts_whenTheTokenWasNeverListed() public {
        BatchParts memory b = _batch(0, 0);
        b.token = stranger;
        vm.expectRevert(abi.encodeWithSelector(IVault.TokenUnknown.selector, stranger));
        _settle(b);
    }

    function test_reverts_whenAPayeeCannotBePaid() public {
        address[3] memory bad = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < bad.length; i++) {
            BatchParts memory b = _batch(0, 0);
            b.payees = new address[](2);
            (b.payees[0], b.payees[1]) = (payee, bad[i]);
            vm.expectRevert(abi.encodeWithSelector(IVault.BadPayee.selector, bad[i]));
            _settle(b);
        }
    }

    // Finding 10.
    function test_reverts_whenTheHeaderIsShort(uint8 length) public {
        length %= 64;
        bytes memory blob = new bytes(length);
        if (length > 0) blob[0] = 0x01;
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), length, 64));
        _settleBlob(blob);
    }

    function test_reverts_whenTheVersionIsUnknown(uint8 version) public {
        vm.assume(version != 1 && version != 2);
        BatchParts memory b = _batch(0, 0);
        b.version = version;
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("version"), version, 1));
        _settle(b);
    }

    function test_reverts_whenTheLengthIsNotExact(uint16 length) public {
        BatchParts memory b = _batch(2, 1);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        b.payments[1] = _sign(_payment(UNIT, 2), PAYER_KEY);
        b.cancels[0] = _signCancel(PAYER_KEY, 3, block.timestamp);
        bytes memory exact = PackedReference.encode(b);
        uint256 given = 64 + (length % 600);
        if (given == exact.length) given++;
        bytes memory blob = new bytes(given);
        for (uint256 i = 0; i < given && i < exact.length; i++) blob[i] = exact[i];
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), given, exact.length));
        _settleBlob(blob);
    }

    function test_reverts_whenAPayeeIndexIsOutOfRange(uint16 index) public {
        vm.assume(index >= 1);
        BatchParts memory b = _batch(2, 0);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        // Even on a record that would fail anyway.
        b.payments[1] = _sign(_payment(UNIT, 999), PAYER_KEY);
        b.payments[1].payeeIndex = index;
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("payee index"), index, 1));
        _settle(b);
    }

    // Finding 2: a sender that is stingy with gas may fail, but cannot make a good signature or a payee fail.
    function test_neverTurnsALackOfGasIntoAFailedRecord(uint256 gasAmount) public {
        bytes memory blob = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        gasAmount = 20_000 + (gasAmount % 330_000);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call{gas: gasAmount}(abi.encodeCall(vault.settle, (blob)));
        if (!done) return;
        vm.assertEq(abi.decode(answer, (bytes)), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), UNIT, "paid, not credited");
    }

    function test_succeeds_orFailsByTheRulesForAnyPayment(uint48 amount, uint32 nonce, uint16 ahead) public {
        IVault.Payment memory p = _payment(amount, nonce % 80);
        p.deadline = block.timestamp + ahead;
        bool isGood = amount > 0 && amount <= 1_000 * UNIT && nonce % 80 <= 64 && ahead <= 12 hours;
        vm.assertTrue(_settleOne(p) == isGood, "took effect");
        vm.assertEq(_balance(), isGood ? 1_000 * UNIT - amount : 1_000 * UNIT, "payer");
        vm.assertEq(token.balanceOf(payee), isGood ? amount : 0, "payee");
    }
}
