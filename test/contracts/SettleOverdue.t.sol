// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BlocklistToken} from "../../contracts/test/HostileTokens.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

contract SettleOverdueTest is VaultTest {
    uint256 private constant CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint256 private constant AUTHORITY_KEY = 0xA07;
    uint256 private constant SHORT_KEY = 0x5407;

    /// Everything one call takes; tests spoil one part.
    struct Call {
        IVault.Payment payment;
        bytes signature;
        IVault.Acknowledgement ack;
        bytes32[] proof;
        bytes rootSignature;
        IVault.AcknowledgementKey key;
        bytes keySignature;
    }

    function setUp() public override {
        super.setUp();
        vm.prank(owner);
        vault.setAcknowledger(RELAYER_ID, vm.addr(AUTHORITY_KEY));
    }

    function _call() internal view returns (Call memory c) {
        return _callFor(_payment(5 * UNIT, 1));
    }

    /// A promise made at START and overdue ten minutes later, in a tree of four leaves.
    function _callFor(IVault.Payment memory p) internal view returns (Call memory c) {
        c.payment = p;
        c.ack = IVault.Acknowledgement({
            paymentDigest: _digest(p),
            orderHash: keccak256("order"),
            fee: 3,
            guarantee: 1,
            acceptedAt: START,
            settleBy: START + 600
        });
        c.key = IVault.AcknowledgementKey(RELAYER_ID, vm.addr(SHORT_KEY), START - 1 hours, START + 1 hours);
        c.proof = new bytes32[](2);
        (c.proof[0], c.proof[1]) = (keccak256("sibling"), keccak256("uncle"));
        _signAll(c);
    }

    function _signAll(Call memory c) internal view {
        c.signature = _full(PAYER_KEY, _digest(c.payment));
        _signRoot(c);
        bytes32 typeHash = keccak256(
            "AcknowledgementKey(uint32 relayerId,address key,uint256 notBefore,uint256 notAfter)"
        );
        IVault.AcknowledgementKey memory k = c.key;
        c.keySignature = _full(
            AUTHORITY_KEY,
            _digest(keccak256(abi.encode(typeHash, k.relayerId, k.key, k.notBefore, k.notAfter)))
        );
    }

    function _signRoot(Call memory c) internal view {
        bytes32 typeHash = keccak256(
            "Acknowledgement(bytes32 paymentDigest,bytes32 orderHash,uint256 fee,uint8 guarantee,uint256 acceptedAt,uint256 settleBy)"
        );
        IVault.Acknowledgement memory a = c.ack;
        bytes32 node = keccak256(
            abi.encode(typeHash, a.paymentDigest, a.orderHash, a.fee, a.guarantee, a.acceptedAt, a.settleBy)
        );
        for (uint256 i = 0; i < c.proof.length; i++) {
            bytes32 other = c.proof[i];
            node = node < other ? keccak256(abi.encode(node, other)) : keccak256(abi.encode(other, node));
        }
        c.rootSignature = _full(
            SHORT_KEY,
            _digest(keccak256(abi.encode(keccak256("AcknowledgementRoot(bytes32 root)"), node)))
        );
    }

    function _settle(Call memory c) internal {
        vm.prank(stranger);
        vault.settleOverdue(c.payment, c.signature, c.ack, c.proof, c.rootSignature, c.key, c.keySignature);
    }

    function _expect(bytes memory reason) internal {
        vm.expectRevert(reason);
    }

    function _late() internal {
        vm.warp(START + 601);
    }

    function test_succeeds_forAnyoneOneSecondAfterSettleBy() public {
        Call memory c = _call();
        _late();
        IVault.Payment memory p = c.payment;
        vm.expectEmit(address(vault));
        emit IVault.OverdueSettled(_digest(p), payer, payee, address(token), p.amount, p.nonce, p.orderRef);
        _settle(c);
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        vm.assertEq(_balance(), 995 * UNIT, "payer");
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 1), "nonce");
    }

    function test_succeeds_withCompactSignaturesAndALonelyLeaf() public {
        Call memory c = _call();
        c.proof = new bytes32[](0);
        _signRoot(c);
        (bytes32 r, bytes32 vs) = _compact(PAYER_KEY, _digest(c.payment));
        c.signature = abi.encodePacked(r, vs);
        _late();
        _settle(c);
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
    }

    function test_credits_aPayeeThatTheTokenBlocks() public {
        BlocklistToken blocklist = new BlocklistToken();
        _use(address(blocklist));
        blocklist.setBlocked(payee, true);
        Call memory c = _call();
        _late();
        _settle(c);
        vm.assertEq(vault.credit(payee, address(token)), 5 * UNIT, "credited");
    }

    function test_succeeds_whenTheRelayersSendersAreGone() public {
        Call memory c = _call();
        vm.prank(guardian);
        vault.removeRelayer(sender);
        _late();
        _settle(c);
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
    }

    function test_reverts_whenSettledAlready() public {
        Call memory c = _call();
        _late();
        vm.assertTrue(_settleOne(c.payment), "the relayer settles late");
        _expect(abi.encodeWithSelector(IVault.NonceUsed.selector, 1, 1));
        _settle(c);
    }

    function test_reverts_whenSettledTwice() public {
        Call memory c = _call();
        _late();
        _settle(c);
        _expect(abi.encodeWithSelector(IVault.NonceUsed.selector, 1, 1));
        _settle(c);
    }

    function test_reverts_whenPaused() public {
        Call memory c = _call();
        vm.prank(guardian);
        vault.pause();
        _late();
        _expect(abi.encodeWithSelector(IVault.IsPaused.selector, START + 601, START + 2 hours));
        _settle(c);
    }

    function test_reverts_atTheVerySecondOfSettleBy() public {
        Call memory c = _call();
        vm.warp(START + 600);
        _expect(abi.encodeWithSelector(IVault.NotOverdue.selector, START + 600, START + 600));
        _settle(c);
    }

    function test_reverts_whenThePromiseIsNotCollateralised(uint8 guarantee) public {
        vm.assume(guarantee != 1);
        Call memory c = _call();
        c.ack.guarantee = guarantee;
        _signAll(c);
        _late();
        _expect(abi.encodeWithSelector(IVault.NotCollateralised.selector, guarantee, 1));
        _settle(c);
    }

    function test_reverts_whenThePromiseIsForAnotherPayment() public {
        Call memory c = _call();
        bytes32 promised = c.ack.paymentDigest;
        c.payment.amount += 1;
        c.signature = _full(PAYER_KEY, _digest(c.payment));
        _late();
        _expect(abi.encodeWithSelector(IVault.DigestMismatch.selector, promised, _digest(c.payment)));
        _settle(c);
    }

    function test_reverts_whenThePayerDidNotSign() public {
        Call memory c = _call();
        c.signature = _full(SHORT_KEY, _digest(c.payment));
        _late();
        _expect(abi.encodeWithSelector(IVault.WrongSigner.selector, vm.addr(SHORT_KEY), payer));
        _settle(c);
    }

    function test_reverts_whenASignatureHasTheWrongShape() public {
        Call memory c = _call();
        _late();
        bytes memory good = c.signature;
        bytes[4] memory bad = [bytes(""), abi.encodePacked(good, uint8(0)), good, good];
        bad[2] = _withS(good, CURVE_ORDER - uint256(_wordAt(good, 32)), 27 + 28 - uint8(good[64]));
        bad[3] = _withS(good, uint256(_wordAt(good, 32)), uint8(good[64]) - 27);
        for (uint256 i = 0; i < bad.length; i++) {
            c.signature = bad[i];
            _expect(abi.encodeWithSelector(IVault.WrongSigner.selector, address(0), payer));
            _settle(c);
        }
    }

    function test_reverts_whenAnyPartOfThePromiseWasNotSigned(uint8 field) public {
        Call memory c = _call();
        field = uint8(field % 5);
        if (field == 0) c.ack.orderHash = bytes32(uint256(c.ack.orderHash) ^ 1);
        if (field == 1) c.ack.fee += 1;
        if (field == 2) c.ack.acceptedAt += 1;
        if (field == 3) c.ack.settleBy -= 1;
        if (field == 4) c.proof[1] = bytes32(uint256(c.proof[1]) ^ 1);
        _late();
        bytes memory data = abi.encodeCall(
            vault.settleOverdue,
            (c.payment, c.signature, c.ack, c.proof, c.rootSignature, c.key, c.keySignature)
        );
        (bool done, bytes memory answer) = address(vault).call(data);
        vm.assertFalse(done, "done");
        // What is recovered is as good as random, so only the selector is compared.
        vm.assertEq(bytes32(bytes4(answer)), bytes32(IVault.WrongSigner.selector), "why");
    }

    function test_reverts_whenTheKeyWasNotCertifiedByTheAuthority() public {
        Call memory c = _call();
        vm.prank(owner);
        vault.setAcknowledger(RELAYER_ID, stranger);
        _late();
        _expect(abi.encodeWithSelector(IVault.WrongSigner.selector, vm.addr(AUTHORITY_KEY), stranger));
        _settle(c);
    }

    // An invalid signature recovers zero, which must not pass for the authority that nobody is.
    function test_reverts_whenThereIsNoAuthority() public {
        Call memory c = _call();
        vm.prank(owner);
        vault.setAcknowledger(RELAYER_ID, address(0));
        c.keySignature = "";
        _late();
        _expect(abi.encodeWithSelector(IVault.WrongSigner.selector, address(0), address(0)));
        _settle(c);
    }

    function test_reverts_whenTheKeyIsZero() public {
        Call memory c = _call();
        c.key.key = address(0);
        _signAll(c);
        c.rootSignature = "";
        _late();
        _expect(abi.encodeWithSelector(IVault.WrongSigner.selector, address(0), address(0)));
        _settle(c);
    }

    // Finding 5: only the bound relayer's promise draws on the account.
    function test_reverts_whenTheKeyIsOfAnotherRelayer() public {
        Call memory c = _call();
        vm.prank(owner);
        vault.setAcknowledger(8, vm.addr(AUTHORITY_KEY));
        c.key.relayerId = 8;
        _signAll(c);
        _late();
        _expect(abi.encodeWithSelector(IVault.RelayerMismatch.selector, RELAYER_ID, 8));
        _settle(c);
    }

    function test_reverts_whenThePromiseIsOutsideTheKeysPeriod() public {
        Call memory c = _call();
        _late();
        (c.key.notBefore, c.key.notAfter) = (START + 1, START + 2);
        _signAll(c);
        _expect(abi.encodeWithSelector(IVault.KeyOutOfPeriod.selector, START, START + 1, START + 2));
        _settle(c);
        (c.key.notBefore, c.key.notAfter) = (START - 2, START - 1);
        _signAll(c);
        _expect(abi.encodeWithSelector(IVault.KeyOutOfPeriod.selector, START, START - 2, START - 1));
        _settle(c);
        (c.key.notBefore, c.key.notAfter) = (START, START);
        _signAll(c);
        _settle(c);
    }

    function test_reverts_whenThePayeeCannotBePaid() public {
        address[3] memory bad = [address(0), address(vault), address(token)];
        for (uint256 i = 0; i < bad.length; i++) {
            vm.warp(START);
            IVault.Payment memory p = _payment(UNIT, 1);
            p.payee = bad[i];
            Call memory c = _callFor(p);
            _late();
            _expect(abi.encodeWithSelector(IVault.BadPayee.selector, bad[i]));
            _settle(c);
        }
    }

    function test_reverts_whenTheAmountIsZero() public {
        Call memory c = _callFor(_payment(0, 1));
        _late();
        _expect(abi.encodeWithSelector(IVault.ZeroAmount.selector));
        _settle(c);
    }

    function test_reverts_oneSecondAfterTheDeadline() public {
        Call memory c = _call();
        vm.warp(START + 1 hours + 1);
        _expect(abi.encodeWithSelector(IVault.DeadlinePassed.selector, START + 1 hours + 1, START + 1 hours));
        _settle(c);
        vm.warp(START + 1 hours);
        _settle(c);
    }

    function test_reverts_whenTheDeadlineIsTooFarAhead() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = START + 601 + 12 hours + 1;
        Call memory c = _callFor(p);
        c.ack.acceptedAt = START + 601;
        _signAll(c);
        _late();
        _expect(abi.encodeWithSelector(IVault.DeadlineTooFar.selector, p.deadline, p.deadline - 1));
        _settle(c);
    }

    function test_reverts_whenTheDeadlineIsMoreThan12HoursAfterItWasAccepted() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        p.deadline = START + 12 hours + 1;
        Call memory c = _callFor(p);
        _late();
        _expect(abi.encodeWithSelector(IVault.DeadlineTooFar.selector, p.deadline, p.deadline - 1));
        _settle(c);
    }

    function test_reverts_whenTheNonceIsOutOfReach() public {
        Call memory c = _callFor(_payment(UNIT, 65));
        Call memory d = _callFor(_payment(UNIT, type(uint256).max));
        _late();
        _expect(abi.encodeWithSelector(IVault.NonceTooFar.selector, 65, 64));
        _settle(c);
        _expect(abi.encodeWithSelector(IVault.NonceTooFar.selector, type(uint256).max, 64));
        _settle(d);
    }

    function test_reverts_whenTheBalanceIsShort() public {
        Call memory c = _callFor(_payment(1_000 * UNIT + 1, 1));
        Call memory d = _callFor(_payment(type(uint256).max, 1));
        _late();
        _expect(abi.encodeWithSelector(IVault.BalanceShort.selector, 1_000 * UNIT, 1_000 * UNIT + 1));
        _settle(c);
        _expect(abi.encodeWithSelector(IVault.BalanceShort.selector, 1_000 * UNIT, type(uint256).max));
        _settle(d);
    }

    function _wordAt(bytes memory data, uint256 start) internal pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(add(data, 0x20), start))
        }
    }

    function _withS(bytes memory signature, uint256 s, uint8 v) internal pure returns (bytes memory) {
        return abi.encodePacked(_wordAt(signature, 0), s, v);
    }
}
