// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccountWord} from "../../contracts/lib/AccountWord.sol";
import {vm} from "./base/Vm.sol";

/// Compares the sliding window with a plain record of every nonce that was ever spent.
contract AccountWordTest {
    mapping(uint256 nonce => bool) private isSpent;

    function test_agrees_withAPlainRecordOfSpentNonces(uint32 start, uint64 seed) public {
        // The top begins anywhere, the balance and relayer must come through unharmed.
        uint256 raw = (uint256(0xABCDEF01) << 224) | (uint256(start) << 192) | 0x1234567890;
        AccountWord word = AccountWord.wrap(raw);
        uint256 top = start;
        uint256 random = seed;
        for (uint256 i = 0; i < 60; i++) {
            random = uint256(keccak256(abi.encode(random)));
            uint256 low = top < 70 ? 0 : top - 70;
            uint256 nonce = low + (random % 140);
            bool isFree = nonce <= type(uint32).max &&
                !isSpent[nonce] &&
                (nonce > top ? nonce - top <= 64 : top - nonce < 64);
            AccountWord next = word.spend(nonce);
            vm.assertTrue((AccountWord.unwrap(next) != 0) == isFree, "verdict");
            if (!isFree) continue;
            isSpent[nonce] = true;
            if (nonce > top) top = nonce;
            word = next;
            vm.assertEq(word.topNonce(), top, "top");
            vm.assertEq(word.balance(), 0x1234567890, "balance");
            vm.assertEq(word.relayerId(), 0xABCDEF01, "relayer");
            for (uint256 age = 0; age < 64 && age <= top; age++) {
                vm.assertTrue((word.window() >> age) & 1 == (isSpent[top - age] ? 1 : 0), "window");
            }
        }
    }

    function test_succeeds_upToTheLastNonceAndNotBeyond() public pure {
        AccountWord word = AccountWord.wrap(uint256(type(uint32).max - 1) << 192);
        vm.assertEq(AccountWord.unwrap(word.spend(uint256(type(uint32).max) + 1)), 0, "beyond");
        word = word.spend(type(uint32).max);
        vm.assertEq(word.topNonce(), type(uint32).max, "top");
        vm.assertEq(AccountWord.unwrap(word.spend(uint256(type(uint32).max) + 1)), 0, "beyond the top");
        vm.assertTrue(AccountWord.unwrap(word.spend(type(uint32).max - 1)) != 0, "below");
    }

    function test_keeps_theOtherFields(uint256 raw, uint128 balance, uint32 relayerId) public pure {
        AccountWord word = AccountWord.wrap(raw);
        uint256 changed = AccountWord.unwrap(word.withBalance(balance).withRelayer(relayerId));
        vm.assertEq(changed, ((raw << 32) >> 32 >> 128 << 128) | balance | (uint256(relayerId) << 224), "word");
    }
}
