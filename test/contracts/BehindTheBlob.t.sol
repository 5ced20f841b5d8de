// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OddWallet} from "../../contracts/test/Wallets.sol";
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

    function test_ignores_aGoodWalletPaymentBehindTheBlob() public {
        OddWallet wallet = new OddWallet();
        wallet.setAnswer(abi.encode(bytes4(0x1626ba7e)), 0, false);
        _deposit(address(wallet), 10 * UNIT);
        BatchParts memory b = _batch(0, 0);
        b.version = 2;
        bytes memory blob = abi.encodePacked(PackedReference.encode(b), uint8(1), _walletRecord(address(wallet), 1));
        vm.assertEq(blob.length % 32, 0, "no padding");
        vm.prank(sender);
        (bool done, bytes memory answer) = address(vault).call(
            bytes.concat(abi.encodeCall(vault.settle, (blob)), _walletRecord(address(wallet), 2))
        );
        vm.assertTrue(done, "settled");
        vm.assertEq(abi.decode(answer, (bytes)), hex"01", "the one of the batch");
        vm.assertEq(token.balanceOf(payee), UNIT, "payee");
    }

    /// With a signature of 31 bytes, which makes header, payee and record five whole words.
    function _walletRecord(address wallet, uint32 nonce) private pure returns (bytes memory) {
        bytes memory terms = abi.encodePacked(uint48(UNIT), nonce, uint16(60), uint16(0), wallet, bytes8(0));
        return abi.encodePacked(terms, uint16(31), new bytes(31));
    }
}
