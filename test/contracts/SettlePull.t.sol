// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {
    BlocklistToken,
    FeeToken,
    HungryToken,
    PretendingToken,
    ReentrantToken,
    SilentToken
} from "../../contracts/test/HostileTokens.sol";
import {PackedReference} from "./base/PackedReference.sol";
import {Starvation} from "./base/Starvation.sol";
import {PullParts, PullTest, SignedPermit, SignedPull} from "./base/PullTest.sol";
import {deploy, vm} from "./base/Vm.sol";

/// Gives up at once, and cheaply, unless it gets all of PULL_GAS: what a starving sender would have to find.
contract PickyPullToken is DemoToken("Picky", "PCK", 6) {
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (gasleft() < 199_500) return false;
        return super.transferFrom(from, to, amount);
    }
}

/// Burns all the gas it gets for one payer.
contract BurningPullToken is DemoToken("Burning", "BRN", 6) {
    address private burnsFor;

    function setBurnsFor(address payer) external {
        burnsFor = payer;
    }

    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        if (from == burnsFor) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        return super.transferFrom(from, to, amount);
    }
}

contract SettlePullTest is PullTest, Starvation {
    function _used(uint256 nonce) private view returns (bool) {
        return settler.isNonceUsed(payer, address(token), nonce);
    }

    function test_succeeds_byAllowance() public {
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(5 * UNIT, 1), PAYER_KEY);
        vm.expectEmit(address(settler));
        emit IPullSettler.PullBatchSettled(b.anchor, address(token), RELAYER_ID, 1, 0, hex"01");
        vm.assertEq(_settlePull(b), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        vm.assertEq(token.balanceOf(payer), 995 * UNIT, "payer");
        vm.assertEq(token.balanceOf(address(settler)), 0, "nothing stays");
        vm.assertTrue(_used(1), "nonce");
    }

    function test_succeeds_byAuthorization() public {
        PullParts memory b = _pullBatch(0, 1);
        b.authorizations[0] = _authorize(_pull(5 * UNIT, 1), PAYER_KEY);
        vm.expectEmit(address(settler));
        emit IPullSettler.PullBatchSettled(b.anchor, address(token), RELAYER_ID, 0, 1, hex"01");
        vm.assertEq(_settlePull(b), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        vm.assertTrue(_used(1), "nonce");
    }

    function test_succeeds_atTheVerySecondOfTheDeadlineInBothKinds() public {
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        p.deadline = block.timestamp;
        vm.assertTrue(_pulled(_signPull(p, PAYER_KEY)), "by allowance");
        p.nonce = 2;
        vm.assertTrue(_received(_authorize(p, PAYER_KEY)), "by authorization");
        p.nonce = 3;
        PullParts memory b = _pullBatch(1, 1);
        b.allowances[0] = _signPull(p, PAYER_KEY);
        b.authorizations[0] = _authorize(p, PAYER_KEY);
        vm.warp(block.timestamp + 1);
        vm.assertEq(_settlePull(b), hex"00", "a second later");
    }

    function test_ignores_aDeadlineMoreThanTwelveHoursAhead() public {
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        p.deadline = block.timestamp + 12 hours + 1;
        vm.assertFalse(_pulled(_signPull(p, PAYER_KEY)), "by allowance");
        vm.assertFalse(_received(_authorize(p, PAYER_KEY)), "by authorization");
        p.deadline = block.timestamp + 12 hours;
        vm.assertTrue(_pulled(_signPull(p, PAYER_KEY)), "just in reach");
    }

    // Netting: each payee is paid once, of all payers and both kinds.
    function test_succeeds_nettedOverPayersAndKinds() public {
        address other = vm.addr(OTHER_KEY);
        authorizing.mint(other, 10 * UNIT);
        PullParts memory b = _pullBatch(2, 1);
        b.payees = new address[](2);
        (b.payees[0], b.payees[1]) = (payee, otherPayee);
        b.allowances[0] = _signPull(_pull(5 * UNIT, 1), PAYER_KEY);
        IPullSettler.PullPayment memory p = _pull(6 * UNIT, 2);
        p.payee = otherPayee;
        b.allowances[1] = _signPull(p, PAYER_KEY);
        b.allowances[1].payeeIndex = 1;
        p = _pull(7 * UNIT, 1);
        p.payer = other;
        b.authorizations[0] = _authorize(p, OTHER_KEY);
        vm.recordLogs();
        vm.assertEq(_settlePull(b), hex"07", "all");
        vm.assertEq(token.balanceOf(payee), 12 * UNIT, "payee");
        vm.assertEq(token.balanceOf(otherPayee), 6 * UNIT, "other payee");
    }

    function test_succeeds_directly() public {
        PullParts memory b = _pullBatch(1, 1);
        b.payout = 1;
        b.allowances[0] = _signPull(_pull(5 * UNIT, 1), PAYER_KEY);
        b.authorizations[0] = _authorize(_pull(6 * UNIT, 2), PAYER_KEY);
        vm.assertEq(_settlePull(b), hex"03", "both");
        vm.assertEq(token.balanceOf(payee), 11 * UNIT, "payee");
        vm.assertEq(token.balanceOf(address(settler)), 0, "nothing stays");
    }

    function test_succeeds_directlyToThePayerItself() public {
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        p.payee = payer;
        PullParts memory b = _pullBatch(1, 0);
        (b.payout, b.payees[0]) = (1, payer);
        b.allowances[0] = _signPull(p, PAYER_KEY);
        vm.assertEq(_settlePull(b), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payer), 1_000 * UNIT, "payer");
    }

    // Finding 6: a refused record leaves its nonce open and moves nothing.
    function test_succeeds_aroundABadRecord() public {
        PullParts memory b = _pullBatch(3, 0);
        b.allowances[0] = _signPull(_pull(600 * UNIT, 1), PAYER_KEY);
        b.allowances[1] = _signPull(_pull(500 * UNIT, 2), PAYER_KEY);
        b.allowances[2] = _signPull(_pull(400 * UNIT, 3), PAYER_KEY);
        vm.assertEq(_settlePull(b), hex"05", "the second is short of money");
        vm.assertFalse(_used(2), "its nonce is open");
        vm.assertEq(token.balanceOf(payee), 1_000 * UNIT, "payee");
    }

    function test_ignores_aPayerWhoAllowsTooLittle() public {
        vm.prank(payer);
        token.approve(address(settler), UNIT - 1);
        vm.assertFalse(_pulled(_signPull(_pull(UNIT, 1), PAYER_KEY)), "took effect");
        vm.assertFalse(_used(1), "the nonce is open");
    }

    function test_ignores_aUsedNonceOfEitherKind() public {
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 1), PAYER_KEY)), "by allowance");
        vm.assertFalse(_pulled(_signPull(_pull(UNIT, 1), PAYER_KEY)), "again");
        // A payer who signed both forms of one payment pays once.
        vm.assertFalse(_received(_authorize(_pull(UNIT, 1), PAYER_KEY)), "by authorization");
        vm.assertTrue(_received(_authorize(_pull(UNIT, 2), PAYER_KEY)), "another");
        vm.assertFalse(_pulled(_signPull(_pull(UNIT, 2), PAYER_KEY)), "by allowance again");
    }

    // Finding 4.
    function test_ignores_aNonceThatWouldBurnTheWindow() public {
        vm.assertFalse(_pulled(_signPull(_pull(UNIT, 65), PAYER_KEY)), "65 above a fresh payer");
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 64), PAYER_KEY)), "64 above");
    }

    function test_ignores_anAmountOfZero() public {
        vm.assertFalse(_pulled(_signPull(_pull(0, 1), PAYER_KEY)), "by allowance");
        vm.assertFalse(_received(_authorize(_pull(0, 1), PAYER_KEY)), "by authorization");
    }

    // Findings 1 and 9: payer, payee and all else are bound, by the signature or by the authorization's nonce.
    function test_ignores_aRecordWhenAnyFieldDiffersFromWhatWasSigned(uint8 field, bool isAllowance) public {
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        SignedPull memory signed = isAllowance ? _signPull(p, PAYER_KEY) : _authorize(p, PAYER_KEY);
        address other = vm.addr(OTHER_KEY);
        authorizing.mint(other, 10 * UNIT);
        vm.prank(other);
        authorizing.approve(address(settler), UNIT);
        field %= 7;
        if (field == 0) signed.r = bytes32(uint256(signed.r) ^ 1);
        if (field == 1) signed.vs = bytes32(uint256(signed.vs) ^ (1 << 255));
        if (field == 2) signed.payment.amount += 1;
        if (field == 3) signed.payment.nonce += 1;
        if (field == 4) signed.payment.deadline += 1;
        if (field == 5) signed.payment.orderRef = 0;
        if (field == 6) signed.payment.payer = other;
        vm.assertFalse(isAllowance ? _pulled(signed) : _received(signed), "took effect");
        vm.assertEq(token.balanceOf(payee), 0, "payee");
        vm.assertFalse(_used(1), "the nonce is open");
    }

    function test_ignores_aPaymentRedirectedToAnotherPayee() public {
        PullParts memory b = _pullBatch(1, 1);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        b.authorizations[0] = _authorize(_pull(UNIT, 2), PAYER_KEY);
        b.payees[0] = otherPayee;
        vm.assertEq(_settlePull(b), hex"00", "neither");
    }

    function test_ignores_aPaymentSignedForTheVault() public {
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        SignedPull memory signed = _signPull(p, PAYER_KEY);
        (signed.r, signed.vs) = _compact(PAYER_KEY, _digest(_payment(UNIT, 1)));
        vm.assertFalse(_pulled(signed), "took effect");
    }

    function test_ignores_thePayerZero() public {
        SignedPull memory signed = _signPull(_pull(UNIT, 1), PAYER_KEY);
        (signed.payment.payer, signed.r) = (address(0), 0);
        vm.assertFalse(_pulled(signed), "took effect");
    }

    function _permit(uint256 value) private view returns (SignedPermit memory permit) {
        bytes32 typeHash = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        permit.owner = payer;
        permit.value = value;
        permit.deadline = START + 100;
        (permit.r, permit.vs) = _compact(
            PAYER_KEY,
            _tokenDigest(
                keccak256(
                    abi.encode(typeHash, payer, address(settler), value, authorizing.nonces(payer), permit.deadline)
                )
            )
        );
    }

    function test_succeeds_withAPermitFirst() public {
        vm.prank(payer);
        token.approve(address(settler), 0);
        PullParts memory b = _pullBatch(1, 0);
        b.permits = new SignedPermit[](1);
        b.permits[0] = _permit(5 * UNIT);
        b.allowances[0] = _signPull(_pull(5 * UNIT, 1), PAYER_KEY);
        vm.assertEq(_settlePull(b), hex"01", "took effect");
    }

    // Finding 9.
    function test_succeeds_whenThePermitWasSentByAnotherBefore() public {
        vm.prank(payer);
        token.approve(address(settler), 0);
        PullParts memory b = _pullBatch(1, 0);
        b.permits = new SignedPermit[](1);
        SignedPermit memory p = _permit(5 * UNIT);
        b.permits[0] = p;
        b.allowances[0] = _signPull(_pull(5 * UNIT, 1), PAYER_KEY);
        uint8 v = 27 + uint8(uint256(p.vs) >> 255);
        bytes32 s = bytes32((uint256(p.vs) << 1) >> 1);
        vm.prank(stranger);
        authorizing.permit(payer, address(settler), p.value, p.deadline, v, p.r, s);
        vm.assertEq(_settlePull(b), hex"01", "took effect");
    }

    // Finding 8.
    function test_succeeds_withATokenThatAnswersNothing() public {
        _useAtHome(address(new SilentToken()));
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 1), PAYER_KEY)), "took effect");
        vm.assertEq(token.balanceOf(payee), UNIT, "payee");
    }

    function test_credits_aPayeeThatTheTokenBlocksAndPaysTheClaim() public {
        BlocklistToken blocklist = new BlocklistToken();
        _useAtHome(address(blocklist));
        blocklist.setBlocked(payee, true);
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        vm.expectEmit(address(settler));
        emit IPullSettler.Credited(payee, address(token), UNIT);
        vm.assertEq(_settlePull(b), hex"01", "took effect");
        vm.assertEq(settler.credit(payee, address(token)), UNIT, "credited");
        vm.expectEmit(address(settler));
        emit IPullSettler.Claimed(payee, address(token), stranger, UNIT);
        vm.prank(payee);
        settler.claimTo(address(token), stranger);
        vm.assertEq(token.balanceOf(stranger), UNIT, "claimed");
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.NoCredit.selector, payee, address(token)));
        settler.claim(payee, address(token));
    }

    function test_reverts_whenAClaimWouldBeLost() public {
        address[3] memory lost = [address(0), address(settler), address(token)];
        for (uint256 i = 0; i < 3; i++) {
            vm.expectRevert(abi.encodeWithSelector(IPullSettler.BadPayee.selector, lost[i]));
            settler.claimTo(address(token), lost[i]);
        }
    }

    function test_credits_belowThePayoutThreshold() public {
        vm.prank(owner);
        vault.listToken(address(token), 1, uint96(UNIT + 1));
        vm.assertTrue(_pulled(_signPull(_pull(UNIT, 1), PAYER_KEY)), "took effect");
        vm.assertEq(settler.credit(payee, address(token)), UNIT, "credited");
        settler.claim(payee, address(token));
        vm.assertEq(token.balanceOf(payee), UNIT, "claimed");
    }

    // Finding 8: what the token did not bring would be paid out of others' credit.
    function test_reverts_whenTheTokenMovesAnotherAmount() public {
        address[2] memory tokens = [address(new FeeToken()), address(new PretendingToken())];
        uint256[2] memory received = [UNIT - 1, 0];
        for (uint256 i = 0; i < 2; i++) {
            _useAtHome(tokens[i]);
            PullParts memory b = _pullBatch(1, 0);
            b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
            for (b.payout = 0; b.payout < 2; b.payout++) {
                vm.expectRevert(abi.encodeWithSelector(IPullSettler.PullMismatch.selector, received[i], UNIT));
                _settlePull(b);
            }
        }
    }

    // Finding 2.
    function test_neverTurnsALackOfGasIntoAFailedRecord(uint256 gasAmount) public {
        HungryToken hungry = new HungryToken();
        _useAtHome(address(hungry));
        hungry.setAppetite(100_000);
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        gasAmount = 60_000 + (gasAmount % 600_000);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(settler).call{gas: gasAmount}(
            abi.encodeCall(settler.settlePull, (blob))
        );
        if (!done) return;
        vm.assertEq(abi.decode(answer, (bytes)), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), UNIT, "paid, not credited");
    }

    // Finding 2: the token gives up at once, and cheaply, unless it gets all of PULL_GAS. With any gas at all, the payment takes
    // effect or the batch reverts.
    function test_pull_getsAllItsGasOrTheBatchReverts() public {
        _useAtHome(address(new PickyPullToken()));
        PullParts memory b = _pullBatch(1, 0);
        b.payout = 1;
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        _assertNeverStarved(blob);
    }

    function _sendWith(bytes calldata blob, uint256 gasAmount) internal override returns (Outcome) {
        vm.prank(sender);
        (bool done, bytes memory results) = address(settler).call{gas: gasAmount}(
            abi.encodeCall(settler.settlePull, (blob))
        );
        if (!done) return Outcome.Reverted;
        return abi.decode(results, (bytes))[0] == 0x01 ? Outcome.Fed : Outcome.Starved;
    }

    // Finding 2: the cap holds, and the others of the batch settle.
    function test_succeeds_aroundAPayerForWhomTheTokenBurnsItsGas() public {
        BurningPullToken burning = new BurningPullToken();
        _useAtHome(address(burning));
        address other = vm.addr(OTHER_KEY);
        burning.mint(other, UNIT);
        vm.prank(other);
        burning.approve(address(settler), UNIT);
        burning.setBurnsFor(other);
        PullParts memory b = _pullBatch(2, 0);
        IPullSettler.PullPayment memory p = _pull(UNIT, 1);
        p.payer = other;
        b.allowances[0] = _signPull(p, OTHER_KEY);
        b.allowances[1] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        uint256 before = gasleft();
        vm.prank(sender);
        vm.assertEq(settler.settlePull(blob), hex"02", "the second");
        vm.assertLe(before - gasleft(), 600_000, "the cap holds");
    }

    // Finding 3.
    function test_ignores_theHighTwinOfASignature() public {
        SignedPull memory signed = _signPull(_pull(UNIT, 1), PAYER_KEY);
        uint256 curveOrder = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        uint256 twin = curveOrder - (uint256(signed.vs) & (type(uint256).max >> 1));
        for (uint256 parity = 0; parity < 2; parity++) {
            signed.vs = bytes32((twin & (type(uint256).max >> 1)) | (parity << 255));
            vm.assertFalse(_pulled(signed), "took effect");
        }
    }

    function test_reverts_whenTheGasBeforeAPullIsShort() public {
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes memory blob = _encode(b);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(settler).call{gas: 190_000}(
            abi.encodeCall(settler.settlePull, (blob))
        );
        vm.assertFalse(done, "done");
        vm.assertEq(bytes32(bytes4(answer)), bytes32(IPullSettler.GasShort.selector), "GasShort");
        // 200,000 x 64 / 63, and 5,000 for the way there.
        vm.assertEq(PackedReference.number(answer, 36, 32), 208_174, "needed");
    }

    function test_reverts_everyReentryDuringAPull() public {
        ReentrantToken reentrant = new ReentrantToken();
        _useAtHome(address(reentrant));
        vm.prank(owner);
        vault.addRelayer(address(reentrant), RELAYER_ID);
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        bytes[3] memory calls = [
            abi.encodeCall(settler.settlePull, (_encode(b))),
            abi.encodeCall(settler.claim, (payee, address(token))),
            abi.encodeCall(settler.claimTo, (address(token), payee))
        ];
        for (uint256 i = 0; i < calls.length; i++) {
            reentrant.setCall(address(settler), calls[i]);
            vm.assertTrue(_pulled(_signPull(_pull(UNIT, 10 + i), PAYER_KEY)), "took effect");
            vm.assertEq(
                bytes32(bytes4(reentrant.answer())),
                bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
                "locked"
            );
        }
    }

    function test_reverts_whenTheSenderIsNoRelayer() public {
        bytes memory blob = _encode(_pullBatch(0, 0));
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.NotRelayer.selector, stranger));
        vm.prank(stranger);
        settler.settlePull(blob);
    }

    function test_reverts_whenTheVaultIsPaused() public {
        vm.prank(guardian);
        vault.pause();
        vm.warp(START + 2 hours - 1);
        PullParts memory b = _pullBatch(0, 0);
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.IsPaused.selector, START + 2 hours - 1, START + 2 hours));
        _settlePull(b);
        vm.warp(START + 2 hours);
        vm.assertEq(_settlePull(b).length, 0, "the pause has ended");
    }

    function test_reverts_whenTheTokenWasNeverListedOrHasNoCode() public {
        PullParts memory b = _pullBatch(0, 0);
        b.token = stranger;
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.TokenUnknown.selector, stranger));
        _settlePull(b);
        b.token = address(token);
        vm.etch(address(token), "");
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.NoCode.selector, address(token)));
        _settlePull(b);
    }

    function test_reverts_whenAPayeeCannotBePaid() public {
        address[3] memory bad = [address(0), address(settler), address(token)];
        for (uint256 i = 0; i < bad.length; i++) {
            PullParts memory b = _pullBatch(0, 0);
            b.payees[0] = bad[i];
            vm.expectRevert(abi.encodeWithSelector(IPullSettler.BadPayee.selector, bad[i]));
            _settlePull(b);
        }
    }

    // Finding 10, from here on.
    function test_reverts_whenVersionOrPayoutIsUnknown(uint8 value) public {
        vm.assume(value != 4 && value > 1);
        PullParts memory b = _pullBatch(0, 0);
        b.version = value;
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.Malformed.selector, bytes32("version"), value, 4));
        _settlePull(b);
        (b.version, b.payout) = (4, value);
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.Malformed.selector, bytes32("payout"), value, 1));
        _settlePull(b);
    }

    function test_reverts_whenTheLengthIsNotExact(uint16 length) public {
        PullParts memory b = _pullBatch(1, 1);
        b.permits = new SignedPermit[](1);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        b.authorizations[0] = _authorize(_pull(UNIT, 2), PAYER_KEY);
        bytes memory exact = _encode(b);
        uint256 given = length % 700;
        if (given == exact.length) given++;
        bytes memory blob = new bytes(given);
        for (uint256 i = 0; i < given && i < exact.length; i++) blob[i] = exact[i];
        uint256 expected = given < 67 ? 67 : exact.length;
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.Malformed.selector, bytes32("length"), given, expected));
        vm.prank(sender);
        settler.settlePull(blob);
    }

    function test_reverts_whenAPayeeIndexIsOutOfRange(uint16 index) public {
        vm.assume(index >= 1);
        PullParts memory b = _pullBatch(1, 0);
        b.allowances[0] = _signPull(_pull(UNIT, 1), PAYER_KEY);
        b.allowances[0].payeeIndex = index;
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.Malformed.selector, bytes32("payee index"), index, 1));
        _settlePull(b);
    }

    function test_agrees_withTheDigestOfTheReference(IPullSettler.PullPayment calldata p) public view {
        vm.assertEq(settler.pullPaymentDigest(p), _pullDigest(p), "digest");
    }
}
