// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IVault} from "../../contracts/interfaces/IVault.sol";
import {Packed} from "../../contracts/lib/Packed.sol";
import {PackedReference} from "./base/PackedReference.sol";
import {vm} from "./base/Vm.sol";

/// The vault's reader against one that goes byte by byte, on blobs of random bytes with fitting counts.
contract PackedTest {
    using PackedReference for bytes;

    function open(bytes calldata blob) external pure returns (Packed.Batch memory) {
        return Packed.open(blob);
    }

    function test_agrees_withTheReference(
        uint256 seed,
        uint8 payeeCount,
        uint8 paymentCount,
        uint8 cancelCount
    ) public view {
        (payeeCount, paymentCount, cancelCount) = (payeeCount % 8, paymentCount % 8, cancelCount % 8);
        bytes memory blob = _randomBlob(seed, payeeCount, paymentCount, cancelCount);
        this.compare(blob);
    }

    function compare(bytes calldata blob) external pure {
        bytes memory copy = blob;
        Packed.Batch memory batch = Packed.open(blob);
        vm.assertEq(uint160(batch.token), copy.number(1, 20), "token");
        vm.assertEq(batch.baseDeadline, copy.number(21, 5), "base deadline");
        vm.assertEq(batch.payeeCount, copy.number(26, 2), "payees");
        vm.assertEq(batch.paymentCount, copy.number(28, 2), "payments");
        vm.assertEq(batch.cancelCount, copy.number(30, 2), "cancels");
        vm.assertEq(uint256(batch.anchor), copy.number(32, 32), "anchor");

        uint256 start;
        assembly ("memory-safe") {
            start := blob.offset
        }
        uint256 place = 64;
        vm.assertEq(batch.payeesAt, start + place, "payees at");
        for (uint256 i = 0; i < batch.payeeCount; i++) {
            vm.assertEq(uint160(Packed.payeeAt(start + place)), copy.number(place, 20), "payee");
            place += 20;
        }
        vm.assertEq(batch.paymentsAt, start + place, "payments at");
        for (uint256 i = 0; i < batch.paymentCount; i++) {
            _comparePayment(copy, place, start + place);
            place += 106;
        }
        vm.assertEq(batch.cancelsAt, start + place, "cancels at");
        for (uint256 i = 0; i < batch.cancelCount; i++) {
            _compareCancel(copy, place, start + place);
            place += 90;
        }
        vm.assertEq(place, copy.length, "the end");
    }

    function _comparePayment(bytes memory copy, uint256 place, uint256 pos) private pure {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        vm.assertEq(uint256(r), copy.number(place, 32), "r");
        vm.assertEq(uint256(vs), copy.number(place + 32, 32), "vs");
        (uint256 amount, uint256 nonce, uint256 delta, uint256 index) = Packed.termsAt(pos);
        vm.assertEq(amount, copy.number(place + 64, 6), "amount");
        vm.assertEq(nonce, copy.number(place + 70, 4), "nonce");
        vm.assertEq(delta, copy.number(place + 74, 2), "deadline");
        vm.assertEq(index, copy.number(place + 76, 2), "index");
        (address payer, bytes8 orderRef) = Packed.payerAt(pos);
        vm.assertEq(uint160(payer), copy.number(place + 78, 20), "payer");
        vm.assertEq(uint64(orderRef), copy.number(place + 98, 8), "order reference");
    }

    function _compareCancel(bytes memory copy, uint256 place, uint256 pos) private pure {
        (bytes32 r, bytes32 vs) = Packed.signatureAt(pos);
        vm.assertEq(uint256(r), copy.number(place, 32), "r");
        vm.assertEq(uint256(vs), copy.number(place + 32, 32), "vs");
        (uint256 nonce, uint256 delta, address payer) = Packed.cancelTermsAt(pos);
        vm.assertEq(nonce, copy.number(place + 64, 4), "nonce");
        vm.assertEq(delta, copy.number(place + 68, 2), "deadline");
        vm.assertEq(uint160(payer), copy.number(place + 70, 20), "payer");
    }

    function test_reverts_whenAnyOtherCountsAreStated(uint256 seed, uint48 counts) public {
        bytes memory blob = _randomBlob(seed, 2, 3, 1);
        uint256 expected = 64 +
            uint256(uint16(counts >> 32)) * 20 +
            uint256(uint16(counts >> 16)) * 106 +
            uint256(uint16(counts)) * 90;
        vm.assume(expected != blob.length);
        for (uint256 i = 0; i < 6; i++) blob[26 + i] = bytes1(uint8(counts >> (40 - 8 * i)));
        vm.expectRevert(
            abi.encodeWithSelector(IVault.Malformed.selector, bytes32("length"), blob.length, expected)
        );
        this.open(blob);
    }

    function _randomBlob(
        uint256 seed,
        uint8 payeeCount,
        uint8 paymentCount,
        uint8 cancelCount
    ) private pure returns (bytes memory blob) {
        uint256 length = 64 + uint256(payeeCount) * 20 + uint256(paymentCount) * 106 + uint256(cancelCount) * 90;
        blob = new bytes(length);
        for (uint256 i = 0; i < length; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            for (uint256 j = 0; j < 32 && i + j < length; j++) blob[i + j] = word[j];
        }
        blob[0] = 0x01;
        (blob[26], blob[27]) = (0, bytes1(payeeCount));
        (blob[28], blob[29]) = (0, bytes1(paymentCount));
        (blob[30], blob[31]) = (0, bytes1(cancelCount));
    }
}
