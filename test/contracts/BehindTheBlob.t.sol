// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchParts, PackedReference, SignedCancel} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// Finding 10: calldata goes on behind the blob, and what stands there belongs to no batch.
contract BehindTheBlobTest is VaultTest {
    function test_ignores_aGoodCancelBehindTheBlob() public {
        BatchParts memory b = _batch(1, 1);
        b.payees = new address[](3);
        (b.payees[0], b.payees[1], b.payees[2]) = (payee, otherPayee, stranger);
        b.payments[0] = _sign(_payment(UNIT, 1), PAYER_KEY);
        b.cancels[0] = _signCancel(PAYER_KEY, 5, block.timestamp);
        SignedCancel memory c = _signCancel(PAYER_KEY, 6, block.timestamp);
        bytes memory blob = PackedReference.encode(b);
        vm.assertEq(blob.length % 32, 0, "no padding");
        bytes memory behind = abi.encodePacked(c.r, c.vs, c.nonce, uint16(c.deadline - b.baseDeadline), c.payer);
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call(
            bytes.concat(abi.encodeCall(vault.settle, (blob)), behind)
        );
        vm.assertTrue(done, "settled");
        vm.assertEq(abi.decode(answer, (bytes)), hex"03", "payment and cancel");
        vm.assertTrue(vault.isNonceUsed(payer, address(token), 5), "of the batch");
        vm.assertFalse(vault.isNonceUsed(payer, address(token), 6), "behind it");
    }
}
