// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IPullSettler} from "../../contracts/interfaces/IPullSettler.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Packed} from "../../contracts/lib/Packed.sol";
import {PackedChained} from "../../contracts/lib/PackedChained.sol";
import {PackedPull} from "../../contracts/lib/PackedPull.sol";
import {PackedReference} from "./base/PackedReference.sol";
import {vm} from "./base/Vm.sol";

/// The readers of wallet sections, chained and pull headers against one that goes byte by byte, on blobs of random bytes with
/// fitting counts.
contract PackedSectionsTest {
    using PackedReference for bytes;

    function _random(uint256 seed, uint256 length) private pure returns (bytes memory blob) {
        blob = new bytes(length);
        for (uint256 i = 0; i < length; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            for (uint256 j = 0; j < 32 && i + j < length; j++) blob[i + j] = word[j];
        }
    }

    function _put(bytes memory blob, uint256 place, uint256 width, uint256 value) private pure {
        for (uint256 i = 0; i < width; i++) blob[place + i] = bytes1(uint8(value >> (8 * (width - 1 - i))));
    }

    function test_agrees_onWalletSections(uint256 seed, uint8 walletCount, uint8 payeeCount) public view {
        walletCount %= 17;
        payeeCount = 1 + (payeeCount % 5);
        uint256 length = 65 + uint256(payeeCount) * 20 + 106 + 90;
        uint256[] memory lengths = new uint256[](walletCount);
        for (uint256 i = 0; i < walletCount; i++) {
            lengths[i] = uint256(keccak256(abi.encode(seed, "length", i))) % 100;
            length += 44 + lengths[i];
        }
        bytes memory blob = _random(seed, length);
        _put(blob, 0, 1, 2);
        _put(blob, 26, 2, payeeCount);
        _put(blob, 28, 2, 1);
        _put(blob, 30, 2, 1);
        uint256 place = 64 + uint256(payeeCount) * 20 + 106 + 90;
        _put(blob, place++, 1, walletCount);
        for (uint256 i = 0; i < walletCount; i++) {
            _put(blob, place + 12, 2, uint256(uint8(blob[place])) % payeeCount);
            _put(blob, place + 42, 2, lengths[i]);
            place += 44 + lengths[i];
        }
        this.compareWallets(blob);
    }

    function compareWallets(bytes calldata blob) external pure {
        bytes memory copy = blob;
        Packed.Batch memory batch = Packed.open(blob);
        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        uint256 place = batch.walletsAt - start;
        vm.assertEq(place, 65 + batch.payeeCount * 20 + 196, "wallets at");
        vm.assertEq(batch.walletCount, copy.number(place - 1, 1), "wallets");
        for (uint256 i = 0; i < batch.walletCount; i++) {
            (uint256 amount, uint256 nonce, uint256 delta, uint256 index) = Packed.walletTermsAt(start + place);
            vm.assertEq(amount, copy.number(place, 6), "amount");
            vm.assertEq(nonce, copy.number(place + 6, 4), "nonce");
            vm.assertEq(delta, copy.number(place + 10, 2), "deadline");
            vm.assertEq(index, copy.number(place + 12, 2), "index");
            (address payer, bytes8 orderRef) = Packed.walletPayerAt(start + place);
            vm.assertEq(uint160(payer), copy.number(place + 14, 20), "payer");
            vm.assertEq(uint64(orderRef), copy.number(place + 34, 8), "order reference");
            bytes calldata signature = Packed.walletSignatureAt(start + place);
            vm.assertEq(signature, blob[place + 44:place + 44 + copy.number(place + 42, 2)], "signature");
            place += 44 + signature.length;
        }
        vm.assertEq(place, copy.length, "the end");
    }

    function test_agrees_onChainedHeaders(uint256 seed, uint8 payees, uint8 runs, uint8 payments) public view {
        (payees, runs, payments) = (payees % 8, runs % 8, payments % 32);
        bytes memory blob = _random(seed, 64 + uint256(payees) * 20 + uint256(runs) * 86 + uint256(payments) * 18);
        _put(blob, 0, 1, 3);
        _put(blob, 26, 2, payees);
        _put(blob, 28, 2, runs);
        _put(blob, 30, 2, payments);
        this.compareChained(blob);
    }

    function compareChained(bytes calldata blob) external pure {
        bytes memory copy = blob;
        PackedChained.Batch memory batch = PackedChained.open(blob);
        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        vm.assertEq(uint160(batch.token), copy.number(1, 20), "token");
        vm.assertEq(batch.baseDeadline, copy.number(21, 5), "base deadline");
        vm.assertEq(batch.payeeCount, copy.number(26, 2), "payees");
        vm.assertEq(batch.runCount, copy.number(28, 2), "runs");
        vm.assertEq(batch.paymentCount, copy.number(30, 2), "payments");
        vm.assertEq(uint256(batch.anchor), copy.number(32, 32), "anchor");
        vm.assertEq(batch.payeesAt, start + 64, "payees at");
        vm.assertEq(batch.runsAt, start + 64 + batch.payeeCount * 20, "runs at");
    }

    function test_agrees_onPullHeadersAndPermits(uint256 seed, uint8 payees, uint8 permits, uint8 payments) public view {
        (payees, permits, payments) = (payees % 8, permits % 8, payments % 8);
        bytes memory blob = _random(seed, 67 + uint256(payees) * 20 + uint256(permits) * 148 + uint256(payments) * 106);
        _put(blob, 0, 1, 4);
        _put(blob, 26, 2, payees);
        _put(blob, 28, 2, payments / 2);
        _put(blob, 30, 2, payments - payments / 2);
        _put(blob, 64, 2, permits);
        _put(blob, 66, 1, seed % 2);
        this.comparePull(blob);
    }

    function comparePull(bytes calldata blob) external pure {
        bytes memory copy = blob;
        PackedPull.Batch memory batch = PackedPull.open(blob);
        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        vm.assertEq(uint160(batch.token), copy.number(1, 20), "token");
        vm.assertEq(batch.baseDeadline, copy.number(21, 5), "base deadline");
        vm.assertEq(batch.payeeCount, copy.number(26, 2), "payees");
        vm.assertEq(batch.allowanceCount, copy.number(28, 2), "allowances");
        vm.assertEq(batch.authorizationCount, copy.number(30, 2), "authorizations");
        vm.assertEq(uint256(batch.anchor), copy.number(32, 32), "anchor");
        vm.assertEq(batch.permitCount, copy.number(64, 2), "permits");
        vm.assertTrue(batch.isDirect == (copy.number(66, 1) == 1), "payout");
        uint256 place = 67 + batch.payeeCount * 20;
        vm.assertEq(batch.permitsAt, start + place, "permits at");
        for (uint256 i = 0; i < batch.permitCount; i++) {
            PackedPull.Permit memory permit = PackedPull.permitAt(start + place);
            vm.assertEq(uint256(permit.r), copy.number(place, 32), "r");
            vm.assertEq(uint256(permit.vs), copy.number(place + 32, 32), "vs");
            vm.assertEq(uint160(permit.owner), copy.number(place + 64, 20), "owner");
            vm.assertEq(permit.value, copy.number(place + 84, 32), "value");
            vm.assertEq(permit.deadline, copy.number(place + 116, 32), "deadline");
            place += 148;
        }
        vm.assertEq(batch.paymentsAt, start + place, "payments at");
    }

    function openPull(bytes calldata blob) external pure returns (PackedPull.Batch memory) {
        return PackedPull.open(blob);
    }

    function openChained(bytes calldata blob) external pure returns (PackedChained.Batch memory) {
        return PackedChained.open(blob);
    }

    function test_reverts_whenOtherCountsAreStated(uint256 seed, uint48 counts, uint16 permits) public {
        bytes memory blob = _random(seed, 600);
        _put(blob, 0, 1, 3);
        _put(blob, 26, 6, counts);
        uint256 expected = 64 +
            uint256(uint16(counts >> 32)) * 20 +
            uint256(uint16(counts >> 16)) * 86 +
            uint256(uint16(counts)) * 18;
        vm.assume(expected != 600);
        vm.expectRevert(abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), 600, expected));
        this.openChained(blob);
        _put(blob, 0, 1, 4);
        _put(blob, 64, 2, permits);
        _put(blob, 66, 1, 0);
        expected =
            67 +
            uint256(uint16(counts >> 32)) * 20 +
            (uint256(uint16(counts >> 16)) + uint16(counts)) * 106 +
            uint256(permits) * 148;
        vm.assume(expected != 600);
        vm.expectRevert(abi.encodeWithSelector(IPullSettler.Malformed.selector, bytes32("length"), 600, expected));
        this.openPull(blob);
    }
}
