// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchParts, PackedReference} from "./base/PackedReference.sol";
import {VaultTest} from "./base/VaultTest.sol";
import {vm} from "./base/Vm.sol";

/// The bitmap is written a word, 256 payments, at a time: batches on both sides of that.
contract LongBatchTest is VaultTest {
    function test_succeeds_onBothSidesOfAWordOfResults() public {
        uint256[4] memory counts = [uint256(255), 256, 257, 300];
        uint256 nonce;
        for (uint256 i = 0; i < counts.length; i++) {
            BatchParts memory b = _batch(counts[i], 1);
            for (uint256 j = 0; j < counts[i]; j++) b.payments[j] = _sign(_payment(1, ++nonce), PAYER_KEY);
            // One in the middle and the last one are bad, and the cancel behind them is good.
            b.payments[100].r = 0;
            b.payments[counts[i] - 1].r = 0;
            b.cancels[0] = _signCancel(PAYER_KEY, ++nonce, block.timestamp);
            bytes memory results = _settle(b);
            vm.assertEq(results.length, (counts[i] + 8) / 8, "bytes");
            for (uint256 j = 0; j < 8 * results.length; j++) {
                bool isGood = j <= counts[i] && j != 100 && j != counts[i] - 1;
                vm.assertTrue((uint8(results[j / 8]) >> (j % 8)) & 1 == (isGood ? 1 : 0), "bit");
            }
        }
        vm.assertEq(token.balanceOf(payee), 255 + 256 + 257 + 300 - 8, "payee");
    }

    // The bitmap of 5,000 records is longer than the memory in front of the frame: it must lie behind it.
    function test_succeeds_withMoreResultsThanFitInFrontOfTheFrame() public {
        bytes memory good = PackedReference.encode(_batchOf(_sign(_payment(UNIT, 1), PAYER_KEY)));
        // The number of cancels, of which each is 90 zeros and nobody's.
        (good[30], good[31]) = (0x13, 0x88);
        bytes memory results = _settleBlob(bytes.concat(good, new bytes(5_000 * 90)));
        vm.assertEq(results.length, 626, "bytes");
        vm.assertEq(uint8(results[0]), 1, "the payment");
        for (uint256 i = 1; i < results.length; i++) vm.assertEq(uint8(results[i]), 0, "no cancel");
        vm.assertEq(token.balanceOf(payee), UNIT, "payee");
    }
}
