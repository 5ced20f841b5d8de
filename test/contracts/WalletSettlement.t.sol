// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DemoToken} from "../../contracts/demo/DemoToken.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {BombWallet, BurningWallet, OddWallet, OwnedWallet, PickyWallet} from "../../contracts/test/Wallets.sol";
import {Starvation} from "./base/Starvation.sol";
import {BatchParts, PackedReference, SignedPayment} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// The section of a batch in which contracts sign (ERC-1271).
contract WalletSettlementTest is VaultTest, Starvation {
    bytes4 private constant YES = 0x1626ba7e;
    OwnedWallet private wallet;

    function setUp() public override {
        super.setUp();
        wallet = new OwnedWallet(payer);
        _deposit(address(wallet), 100 * UNIT);
    }

    function _walletPayment(address who, uint256 amount, uint256 nonce) private view returns (IVault.Payment memory p) {
        p = _payment(amount, nonce);
        p.payer = who;
    }

    function _record(IVault.Payment memory p, uint16 payeeIndex, bytes memory signature) private view returns (bytes memory) {
        return
            abi.encodePacked(
                uint48(p.amount),
                uint32(p.nonce),
                uint16(p.deadline - block.timestamp),
                payeeIndex,
                p.payer,
                p.orderRef,
                uint16(signature.length),
                signature
            );
    }

    function _blob(BatchParts memory b, uint8 count, bytes memory records) private pure returns (bytes memory) {
        b.version = 2;
        return abi.encodePacked(PackedReference.encode(b), count, records);
    }

    function _one(IVault.Payment memory p, bytes memory signature) private returns (bool) {
        bytes memory results = _settleBlob(_blob(_batch(0, 0), 1, _record(p, 0, signature)));
        vm.assertEq(results.length, 1, "one byte of results");
        vm.assertLe(uint8(results[0]), 1, "no bit without a record");
        return results[0] == 0x01;
    }

    function _signedByOwner(IVault.Payment memory p) private view returns (bytes memory) {
        return _full(PAYER_KEY, _digest(p));
    }

    function test_succeeds_whenTheWalletSaysYes() public {
        IVault.Payment memory p = _walletPayment(address(wallet), 5 * UNIT, 1);
        vm.assertTrue(_one(p, _signedByOwner(p)), "took effect");
        vm.assertEq(token.balanceOf(payee), 5 * UNIT, "payee");
        vm.assertEq(vault.accountOf(address(wallet), address(token)).balance, 95 * UNIT, "wallet");
        vm.assertFalse(_one(p, _signedByOwner(p)), "a nonce settles once");
    }

    function test_succeeds_besidePaymentsAndCancels() public {
        BatchParts memory b = _batch(1, 1);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        b.cancels[0] = _signCancel(PAYER_KEY, 2, block.timestamp + 60);
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        bytes memory records = bytes.concat(_record(p, 0, _signedByOwner(p)), _record(p, 0, _signedByOwner(p)));
        vm.expectEmit(address(vault));
        emit IVault.BatchSettled(b.anchor, address(token), RELAYER_ID, 1, 1, hex"07");
        vm.assertEq(_settleBlob(_blob(b, 2, records)), hex"07", "the last is the third again");
        vm.assertEq(token.balanceOf(payee), 2 * UNIT, "payee");
    }

    function test_succeeds_withAnEmptySection() public {
        vm.assertEq(_settleBlob(_blob(_batch(0, 0), 0, "")).length, 0, "no bits");
    }

    // Finding 1: two wallets of one owner. The payer is part of what is signed.
    function test_ignores_aSignatureForAnotherWalletOfTheSameOwner() public {
        OwnedWallet other = new OwnedWallet(payer);
        _deposit(address(other), 100 * UNIT);
        bytes memory signature = _signedByOwner(_walletPayment(address(wallet), UNIT, 1));
        vm.assertFalse(_one(_walletPayment(address(other), UNIT, 1), signature), "took effect");
    }

    // Finding 7: an account with code that signs with its key (EIP-7702) is a matter of the section, not of the code.
    function test_succeeds_forAnAccountWithCodeThatSignsWithItsKey() public {
        vm.etch(payer, address(wallet).code);
        vm.assertTrue(_settleOne(_payment(UNIT, 1)), "in the section of keys");
    }

    function test_succeeds_forAnAccountWithCodeThatAnswersByItself() public {
        vm.etch(payer, address(wallet).code);
        IVault.Payment memory p = _payment(UNIT, 1);
        vm.assertTrue(_one(p, _signedByOwner(p)), "in the section of wallets");
    }

    function test_ignores_anAccountWithoutCode() public {
        IVault.Payment memory p = _payment(UNIT, 1);
        vm.assertFalse(_one(p, _signedByOwner(p)), "took effect");
    }

    function test_ignores_aWalletInTheSectionOfKeys() public {
        vm.assertFalse(_tookEffect(_batchOf(_sign(_walletPayment(address(wallet), UNIT, 1), PAYER_KEY))), "took effect");
    }

    function test_ignores_everyAnswerButYes() public {
        OddWallet odd = new OddWallet();
        _deposit(address(odd), 100 * UNIT);
        bytes[6] memory answers = [
            bytes(""),
            abi.encodePacked(YES),
            abi.encodePacked(YES, bytes27(0)),
            abi.encode(bytes4(0xffffffff)),
            abi.encode(true),
            abi.encode(uint256(uint32(YES)))
        ];
        for (uint256 i = 0; i < answers.length; i++) {
            odd.setAnswer(answers[i], 0, false);
            vm.assertFalse(_one(_walletPayment(address(odd), UNIT, 1), ""), "took effect");
        }
        odd.setAnswer(abi.encode(YES), 0, true);
        vm.assertFalse(_one(_walletPayment(address(odd), UNIT, 1), ""), "a revert with the right data");
        odd.setAnswer(abi.encode(YES), 0, false);
        vm.assertTrue(_one(_walletPayment(address(odd), UNIT, 1), ""), "yes");
    }

    function test_ignores_whatBreaksTheRulesWhateverTheWalletSays() public {
        OddWallet odd = new OddWallet();
        _deposit(address(odd), 100 * UNIT);
        odd.setAnswer(abi.encode(YES), 0, false);
        IVault.Payment memory p = _walletPayment(address(odd), 0, 1);
        vm.assertFalse(_one(p, ""), "an amount of zero");
        p.amount = 100 * UNIT + 1;
        vm.assertFalse(_one(p, ""), "one unit short");
        p.amount = UNIT;
        p.nonce = 65;
        vm.assertFalse(_one(p, ""), "a nonce out of reach");
        p.nonce = 1;
        p.deadline = block.timestamp + 12 hours + 1;
        vm.assertFalse(_one(p, ""), "a deadline too far ahead");
        p.deadline = block.timestamp + 12 hours;
        bytes memory blob = _blob(_batch(0, 0), 1, _record(p, 0, ""));
        vm.warp(p.deadline + 1);
        vm.assertEq(_settleBlob(blob), hex"00", "a second late");
        vm.warp(p.deadline);
        vm.assertEq(_settleBlob(blob), hex"01", "at the very second");
    }

    // Finding 5.
    function test_ignores_aWalletOfAnotherRelayer() public {
        vm.prank(owner);
        vault.addRelayer(stranger, 8);
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        bytes memory blob = _blob(_batch(0, 0), 1, _record(p, 0, _signedByOwner(p)));
        vm.prank(stranger);
        vm.assertEq(vault.settle(blob), hex"00", "took effect");
    }

    // Finding 7: the cap holds, and the others of the batch settle.
    function test_succeeds_aroundAWalletThatBurnsItsGas() public {
        BurningWallet burner = new BurningWallet();
        _deposit(address(burner), 100 * UNIT);
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        bytes memory records = bytes.concat(
            _record(_walletPayment(address(burner), UNIT, 1), 0, ""),
            _record(p, 0, _signedByOwner(p))
        );
        uint256 before = gasleft();
        vm.assertEq(_settleBlob(_blob(_batch(0, 0), 2, records)), hex"02", "the second");
        vm.assertLe(before - gasleft(), 400_000, "the cap holds");
    }

    // Finding 2: what the bomb returns costs it 90,000 gas; a careless caller would pay more than that again to copy it.
    function test_succeeds_withAWalletThatReturnsABomb() public {
        BombWallet bomb = new BombWallet();
        _deposit(address(bomb), 100 * UNIT);
        bytes memory blob = _blob(_batch(0, 0), 1, _record(_walletPayment(address(bomb), UNIT, 1), 0, ""));
        uint256 before = gasleft();
        vm.assertEq(_settleBlob(blob), hex"01", "it said yes");
        vm.assertLe(before - gasleft(), 240_000, "nothing is copied");
    }

    function test_succeeds_withTheSignedAmountScaled() public {
        DemoToken wide = new DemoToken("Wide", "WIDE", 18);
        vm.prank(owner);
        vault.listToken(address(wide), 1e12, 0);
        token = wide;
        _deposit(address(wallet), 10e18);
        IVault.Payment memory p = _walletPayment(address(wallet), 3.5e18, 1);
        bytes memory signature = _signedByOwner(p);
        p.amount = 3_500_000;
        vm.assertTrue(_one(p, signature), "took effect");
        vm.assertEq(wide.balanceOf(payee), 3.5e18, "payee");
    }

    function test_succeeds_withASingleUnit() public {
        IVault.Payment memory p = _walletPayment(address(wallet), 1, 1);
        vm.assertTrue(_one(p, _signedByOwner(p)), "took effect");
        vm.assertEq(token.balanceOf(payee), 1, "payee");
    }

    function test_succeeds_behindEightPayments() public {
        BatchParts memory b = _batch(8, 0);
        for (uint256 i = 0; i < 8; i++) b.payments[i] = _sign(_payment(UNIT, i), PAYER_KEY);
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        vm.assertEq(_settleBlob(_blob(b, 1, _record(p, 0, _signedByOwner(p)))), hex"ff01", "bit 8");
    }

    // 31 bytes over an old word that ends in 0, as the address of this wallet does, read as a yes.
    function test_ignores_aShortYesThatOldMemoryWouldComplete() public {
        address place = address(0xabcdef00);
        vm.etch(place, address(new OddWallet()).code);
        _deposit(place, 100 * UNIT);
        OddWallet(place).setAnswer(abi.encodePacked(YES, new bytes(27)), 0, false);
        vm.assertFalse(_one(_walletPayment(place, UNIT, 1), ""), "31 bytes");
        OddWallet(place).setAnswer(abi.encodePacked(YES, new bytes(28)), 0, false);
        vm.assertTrue(_one(_walletPayment(place, UNIT, 1), ""), "32 bytes");
    }

    // Finding 2: a wallet that needs 80,000 gas gets it, or the batch reverts.
    function test_neverStarvesAWallet(uint256 gasAmount) public {
        OddWallet odd = new OddWallet();
        _deposit(address(odd), 100 * UNIT);
        odd.setAnswer(abi.encode(YES), 80_000, false);
        bytes memory blob = _blob(_batch(0, 0), 1, _record(_walletPayment(address(odd), UNIT, 1), 0, ""));
        gasAmount = 60_000 + (gasAmount % 400_000);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call{gas: gasAmount}(abi.encodeCall(vault.settle, (blob)));
        if (!done) return;
        vm.assertEq(abi.decode(answer, (bytes)), hex"01", "took effect");
        vm.assertEq(token.balanceOf(payee), UNIT, "paid, not credited");
    }

    // Finding 2: with any gas at all, a wallet that signed is not taken for one that did not.
    function test_wallet_getsAllItsGasOrTheBatchReverts() public {
        PickyWallet picky = new PickyWallet();
        _deposit(address(picky), 100 * UNIT);
        bytes memory blob = _blob(_batch(0, 0), 1, _record(_walletPayment(address(picky), UNIT, 1), 0, ""));
        _assertNeverStarved(blob);
    }

    function _sendWith(bytes calldata blob, uint256 gasAmount) internal override returns (Outcome) {
        vm.prank(sender);
        (bool done, bytes memory results) = address(vault).call{gas: gasAmount}(abi.encodeCall(vault.settle, (blob)));
        if (!done) return Outcome.Reverted;
        return abi.decode(results, (bytes))[0] == 0x01 ? Outcome.Fed : Outcome.Starved;
    }

    function test_reverts_whenTheGasBeforeAWalletIsShort() public {
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        bytes memory blob = _blob(_batch(0, 0), 1, _record(p, 0, _signedByOwner(p)));
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call{gas: 110_000}(abi.encodeCall(vault.settle, (blob)));
        vm.assertFalse(done, "done");
        vm.assertEq(bytes32(bytes4(answer)), bytes32(IVault.GasShort.selector), "GasShort");
        // 100,000 x 64 / 63, and 5,000 for the way there.
        vm.assertEq(PackedReference.number(answer, 36, 32), 106_587, "needed");
    }

    // Finding 7: the number is bounded.
    function test_reverts_whenThereAreMoreThanSixteen() public {
        bytes memory records;
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        for (uint256 i = 0; i < 16; i++) records = bytes.concat(records, _record(p, 0, ""));
        vm.assertEq(_settleBlob(_blob(_batch(0, 0), 16, records)), hex"0000", "sixteen are read");
        records = bytes.concat(records, _record(p, 0, ""));
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("wallets"), 17, 16));
        _settleBlob(_blob(_batch(0, 0), 17, records));
    }

    // Finding 10.
    function test_reverts_whenASignatureIsTooLong() public {
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        vm.assertFalse(_one(p, new bytes(4_096)), "the longest");
        bytes memory blob = _blob(_batch(0, 0), 1, _record(p, 0, new bytes(4_097)));
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("signature"), 4_097, 4_096));
        _settleBlob(blob);
    }

    function test_reverts_whenAPayeeIndexIsOutOfRange(uint16 index) public {
        vm.assume(index >= 1);
        bytes memory record = _record(_walletPayment(address(wallet), UNIT, 1), index, "");
        bytes memory blob = _blob(_batch(0, 0), 1, record);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("payee index"), index, 1));
        _settleBlob(blob);
    }

    function test_reverts_whenTheSectionIsCutOrTrailing(uint16 length) public {
        IVault.Payment memory p = _walletPayment(address(wallet), UNIT, 1);
        bytes memory exact = _blob(_batch(0, 0), 1, _record(p, 0, _signedByOwner(p)));
        uint256 given = 84 + (length % 300);
        if (given == exact.length) given++;
        bytes memory blob = new bytes(given);
        for (uint256 i = 0; i < given && i < exact.length; i++) blob[i] = exact[i];
        // Header and payee are 84 bytes, the number of wallets 1, a record without its signature 44.
        (uint256 actual, uint256 expected) = given < 85
            ? (given - 84, 1)
            : given < 129
                ? (given - 85, 44)
                : given < exact.length
                    ? (given - 85, exact.length - 85)
                    : (given, exact.length);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), actual, expected));
        _settleBlob(blob);
    }
}
